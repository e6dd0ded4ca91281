//! `media-cache sign`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use clap::Args;
use media_cache_http_downloader::{HttpOptions, check_url};
use serde_json::json;
use url::Url;

use crate::config::{ConfigurationFile, hide};
use crate::key_rules::KeyRuleOptions;
use crate::outbound::size;
use crate::output;
use crate::secrets::signing_keys;

/// The URL to sign, and the keys.
#[derive(Args)]
pub struct Sign {
    /// The URL of the media, exactly as in the request to the service
    url: String,
    /// A file with the keys of the service; the first key signs; may be given several times
    #[arg(long, value_name = "FILE", value_delimiter = ',', required = true)]
    signing_key_file: Vec<PathBuf>,
    /// The validity period, such as `90s`, `15m`, `12h` or `7d`; by default, the signature is valid for as long as the key
    #[arg(long, value_name = "DURATION", conflicts_with = "expires_at")]
    expires_in: Option<Lifetime>,
    /// When the signature expires, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    expires_at: Option<u64>,
    /// The address of the service, such as `https://media.example.com`, to print a complete URL
    #[arg(long, value_name = "URL", value_parser = base)]
    base: Option<Url>,
    /// Print a path with the digest of the cache key, by which a load balancer can choose a node
    #[arg(long)]
    digest: bool,
    /// The maximum length of a URL that the service fetches, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = HttpOptions::default().max_url_bytes, value_parser = size(64, 65_534))]
    max_url_bytes: usize,
    /// Print a JSON object with the URL, the signed URL, and its expiry time
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeyRuleOptions,
    #[command(flatten)]
    config: ConfigurationFile,
}

impl Sign {
    /// Prints the signed path and query, or the complete URL.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // A signature for a URL that the service refuses would be useless.
        let checked = media_cache::check_url(&self.url).and_then(|()| check_url(&self.url, self.max_url_bytes));
        checked.map_err(|why| anyhow::anyhow!("{} is not a URL that a service would fetch: {why}", shown(&self.url)))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is set to a time before 1970")?;
        let expires = self.expires_at.or(self.expires_in.map(|lifetime| now.saturating_add(lifetime.0).as_secs()));
        let keys = signing_keys(&self.signing_key_file)?;
        let signed = match self.digest {
            true => keys.sign_with_digest(&self.url, self.keys.digest(&self.url).as_bytes(), expires),
            false => keys.sign(&self.url, expires),
        };
        let signed = signed.context("there is no key")?;
        let base = self.base.as_ref().map_or("", Url::as_str);
        let signed = format!("{}{signed}", base.trim_end_matches('/'));
        if self.json {
            output::json_value(&json!({ "url": self.url, "signed": signed, "expires": expires }))?;
        } else {
            output::line(signed)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A URL without its secrets, shortened to fit into a sentence.
fn shown(url: &str) -> String {
    let hidden = hide(url);
    match hidden.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{}…", &hidden[..end]),
        None => hidden.into_owned(),
    }
}

/// The maximum number of characters of a URL in an error.
const LONGEST_SHOWN: usize = 200;

fn base(text: &str) -> Result<Url, String> {
    let url: Option<Url> = text.parse().ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| "it must begin with http:// or https://".into())
}

/// A period of validity: a whole number of seconds, minutes, hours or days, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lifetime(Duration);

/// The text is not a valid period.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a period such as 90s, 15m, 12h or 7d")]
struct LifetimeError(String);

impl FromStr for Lifetime {
    type Err = LifetimeError;

    fn from_str(text: &str) -> Result<Self, LifetimeError> {
        let seconds = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let factor = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86_400,
                _ => return None,
            };
            number.parse::<u64>().ok()?.checked_mul(factor).filter(|seconds| *seconds > 0)
        };
        seconds().map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(|| LifetimeError(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_period_requires_a_unit() {
        let seconds = |text: &str| text.parse().map(|Lifetime(time)| time.as_secs());
        assert_eq!(["90s", "15m", "12h", "7d"].map(seconds), [90, 900, 43_200, 604_800].map(Ok));
        for wrong in ["", "7", "d", "0s", "-1s", "1.5h", "7 d", "7w", "7é", "18446744073709551615d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
