//! How much the log says of requests and of the URLs that strangers write.
//!
//! Queries, fragments and user information hold tokens, signatures and passwords, and logs are read by more people than should know
//! them. By default a URL is named by its fingerprint, which is the same for the same URL, and its host.

mod downloads;

use url::Url;

pub(crate) use downloads::Logged;

use crate::simulate::fingerprint;

/// Which requests are logged. Each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogRequests {
    /// None.
    None,
    /// Those that end in a problem, or that the client gives up.
    Errors,
    /// All but hits, and but the questions that machines ask all the time (`/healthz`, `/readyz`, `/metrics`, `/stats`) where they
    /// are answered.
    #[default]
    Misses,
    /// All. Writing a line takes longer than serving a hit.
    All,
}

/// How much of a URL is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogUrls {
    /// Its fingerprint and its host.
    #[default]
    Host,
    /// All but user information, query and fragment besides.
    Path,
    /// All of it, secrets included.
    Full,
}

/// What is logged of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLog {
    /// Which ones.
    pub requests: LogRequests,
    /// How much of their URLs.
    pub urls: LogUrls,
}

/// A URL as the log names it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoggedUrl {
    /// The first 16 hexadecimal digits of the SHA-256 of the URL, as in a trace of requests and in the name of its files.
    pub fingerprint: String,
    pub host: Option<String>,
    pub text: Option<String>,
}

impl LogUrls {
    /// What may be said of a URL.
    pub(crate) fn describe(self, url: &str) -> LoggedUrl {
        let parsed = Url::parse(url).ok();
        let text = match self {
            Self::Host => None,
            Self::Path => parsed.clone().and_then(without_secrets),
            Self::Full => Some(url.to_owned()),
        };
        let host = parsed.as_ref().and_then(Url::host_str).map(str::to_owned);
        LoggedUrl { fingerprint: format!("{:016x}", fingerprint(url.as_bytes())), host, text }
    }
}

/// The URL without what may be secret in it; nothing where that cannot be told apart, such as in `data:` URLs.
fn without_secrets(mut url: Url) -> Option<String> {
    url.set_query(None);
    url.set_fragment(None);
    if !url.has_host() || url.set_username("").and_then(|()| url.set_password(None)).is_err() {
        return None;
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_as_far_as_was_said() {
        let url = "https://me:secret@example.com:8443/a/b.png?token=secret#secret";
        // printf %s '…' | sha256sum
        let fingerprint = LogUrls::Host.describe(url).fingerprint;
        assert_eq!(fingerprint.len(), 16);
        let told = |urls: LogUrls, url: &str| {
            let told = urls.describe(url);
            (told.host, told.text)
        };
        let host = || Some("example.com".to_owned());
        assert_eq!(told(LogUrls::Host, url), (host(), None));
        assert_eq!(told(LogUrls::Path, url), (host(), Some("https://example.com:8443/a/b.png".into())));
        assert_eq!(told(LogUrls::Full, url), (host(), Some(url.into())));
    }

    #[test]
    fn what_cannot_be_taken_apart_is_not_told() {
        for url in ["secret", "data:text/plain,secret", "mailto:secret@example.com", "https://", "javascript:secret"] {
            for urls in [LogUrls::Host, LogUrls::Path] {
                let told = urls.describe(url);
                assert!(!format!("{:?} {:?}", told.host, told.text).contains("secret"), "{told:?}");
            }
        }
        assert_eq!(LogUrls::Path.describe("mxc://example.com/id?secret").text.as_deref(), Some("mxc://example.com/id"));
    }

    #[test]
    fn each_choice_of_requests_includes_the_one_before() {
        assert!(LogRequests::None < LogRequests::Errors && LogRequests::Errors < LogRequests::Misses);
        assert!(LogRequests::Misses < LogRequests::All);
    }
}
