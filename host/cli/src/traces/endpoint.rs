//! Where traces are sent.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use url::Url;

/// The path that receives traces, relative to an endpoint.
const TRACES: &str = "v1/traces";

/// The endpoint of a collector on the same machine, which is the default of OpenTelemetry.
const LOCAL: &str = "http://localhost:4318";

/// The default limit on the time for sending a batch.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest such limit, in milliseconds.
const MAX_TIMEOUT: u64 = 60 * 60 * 1000;

/// How spans are sent.
const PROTOCOL: &str = "http/protobuf";

/// The endpoint of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtlpEndpoint {
    /// This one, without the path for traces.
    Base(Url),
    /// The one in the environment.
    Environment,
}

impl FromStr for OtlpEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "environment" { Ok(Self::Environment) } else { parse(text).map(Self::Base) }
    }
}

impl OtlpEndpoint {
    /// The URL to which traces are posted.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn url(&self) -> anyhow::Result<Url> {
        let base = match self {
            Self::Base(base) => base.clone(),
            Self::Environment => {
                if let Some(url) = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
                    return parse(&url).map_err(anyhow::Error::msg).context("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
                }
                let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
                parse(base.as_deref().unwrap_or(LOCAL)).map_err(anyhow::Error::msg).context("OTEL_EXPORTER_OTLP_ENDPOINT")?
            }
        };
        Ok(with_path(base))
    }
}

/// The limit on the time for sending a batch.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn timeout() -> anyhow::Result<Duration> {
    let timeout = match number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", MAX_TIMEOUT)? {
        Some(timeout) => Some(timeout),
        None => number("OTEL_EXPORTER_OTLP_TIMEOUT", MAX_TIMEOUT)?,
    };
    Ok(timeout.map_or(TIMEOUT, Duration::from_millis))
}

/// Refuses other protocols than the only one that is supported.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn check_protocol() -> anyhow::Result<()> {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
    match names.into_iter().find_map(|name| Some((name, variable(name)?))) {
        Some((name, protocol)) if protocol != PROTOCOL => bail!("{name} is {protocol}, but only {PROTOCOL} is supported"),
        _ => Ok(()),
    }
}

/// A variable that is a number from 1 to `max`.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn number(name: &str, max: u64) -> anyhow::Result<Option<u64>> {
    let Some(text) = variable(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(Some(number)),
        _ => bail!("{name} is {text}, but must be a whole number from 1 to {max}"),
    }
}

/// A variable, unless it is empty.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn parse(text: &str) -> Result<Url, String> {
    let expected = "it must be a URL such as http://127.0.0.1:4318";
    let url = Url::parse(text).map_err(|error| format!("{expected}: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(expected.into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not contain credentials; OTEL_EXPORTER_OTLP_HEADERS can".into());
    }
    match (url.query(), url.fragment()) {
        (None, None) => Ok(url),
        _ => Err(format!("{expected}, without a query")),
    }
}

fn with_path(mut base: Url) -> Url {
    let path = format!("{}/{TRACES}", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_for_traces_is_appended_to_an_endpoint() {
        let url = |text: &str| text.parse::<OtlpEndpoint>().unwrap().url().unwrap().to_string();
        assert_eq!(url("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(url("https://otel.example.org/otlp/"), "https://otel.example.org/otlp/v1/traces");
        assert_eq!("environment".parse(), Ok(OtlpEndpoint::Environment));
    }

    #[test]
    fn invalid_endpoints_are_refused() {
        for text in [
            "",
            "localhost:4318",
            "127.0.0.1:4318",
            "grpc://localhost:4317",
            "http://",
            "http://a/?token=1",
            "http://a:b@c/",
            "/v1/traces",
        ] {
            assert!(text.parse::<OtlpEndpoint>().is_err(), "{text}");
        }
    }
}
