//! Where traces are sent.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use url::Url;

/// The path that receives traces, relative to an endpoint.
const TRACES: &str = "v1/traces";

/// The endpoint of a collector on the same machine, which is the default of OpenTelemetry.
const LOCAL: &str = "http://localhost:4318";

/// The default limit on the time for sending a batch.
const TIMEOUT: Duration = Duration::from_secs(10);

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
pub fn timeout() -> Duration {
    let names = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
    names.into_iter().find_map(|name| variable(name)?.parse().ok()).map_or(TIMEOUT, Duration::from_millis)
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
