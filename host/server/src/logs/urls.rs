//! How much of a URL is logged.

use url::Url;

use media_cache_trace::fingerprint;

/// How much of a URL is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogUrls {
    /// Its fingerprint and its host.
    #[default]
    Host,
    /// Also the URL, except for user information, query and fragment.
    Path,
    /// All of it, including secrets.
    Full,
}

/// The parts of a URL that are logged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoggedUrl {
    /// The first 16 hexadecimal digits of the SHA-256 of the URL, as in a request trace and in the names of the entry's files.
    pub fingerprint: String,
    pub host: Option<String>,
    pub text: Option<String>,
}

impl LogUrls {
    /// Reduces a URL to the parts that may be logged.
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

/// The URL without the parts that may be secret. `None` if these cannot be separated from the rest, as in `data:` URLs.
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
    fn url_is_logged_to_the_configured_extent() {
        let url = "https://me:secret@example.com:8443/a/b.png?token=secret#secret";
        let fingerprint = LogUrls::Host.describe(url).fingerprint;
        assert_eq!(fingerprint.len(), 16);
        let logged = |urls: LogUrls, url: &str| {
            let logged = urls.describe(url);
            (logged.host, logged.text)
        };
        let host = || Some("example.com".to_owned());
        assert_eq!(logged(LogUrls::Host, url), (host(), None));
        assert_eq!(logged(LogUrls::Path, url), (host(), Some("https://example.com:8443/a/b.png".into())));
        assert_eq!(logged(LogUrls::Full, url), (host(), Some(url.into())));
    }

    #[test]
    fn a_url_that_cannot_be_parsed_is_not_logged() {
        for url in ["secret", "data:text/plain,secret", "mailto:secret@example.com", "https://", "javascript:secret"] {
            for urls in [LogUrls::Host, LogUrls::Path] {
                let logged = urls.describe(url);
                assert!(!format!("{:?} {:?}", logged.host, logged.text).contains("secret"), "{logged:?}");
            }
        }
        assert_eq!(LogUrls::Path.describe("mxc://example.com/id?secret").text.as_deref(), Some("mxc://example.com/id"));
    }
}
