//! Which URLs may be requested, regardless of where they lead.

use url::Url;

use crate::mxc::{INVALID_MXC, MxcUrl, is_mxc};
use crate::target::requestable;

/// Checks a URL as every downloader does before it applies its access rules. Valid URLs of Matrix media pass, since a homeserver may be
/// configured.
///
/// # Errors
/// Returns a description of what is wrong with the URL.
pub fn check_url(url: &str, max_url_bytes: usize) -> Result<(), String> {
    if is_mxc(url) {
        return MxcUrl::parse(url).map(drop).ok_or_else(|| INVALID_MXC.into());
    }
    check_length(&requestable(url)?, max_url_bytes)
}

/// Checks the length of a URL as it would be requested.
pub(crate) fn check_length(url: &Url, limit: usize) -> Result<(), String> {
    let length = url.as_str().len();
    if length > limit { Err(format!("it has {length} bytes, which is more than the limit of {limit}")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_check_refuses_invalid_urls_but_not_private_destinations() {
        for url in ["https://example.org/a.png", "http://127.0.0.1/", "http://localhost:22/", "mxc://example.org/aBc"] {
            assert_eq!(check_url(url, 100), Ok(()), "{url}");
        }
        let long = format!("https://example.org/{}", "a".repeat(100));
        for (url, why) in [
            ("example.org", "relative URL without a base"),
            ("ftp://example.org/", "only http and https"),
            ("https://user:secret@example.org/", "credentials"),
            ("https://exa%00mple.org/", "invalid"),
            ("https://a^b/", "invalid"),
            ("https://", "empty host"),
            ("mxc://example.org", "mxc://server/id"),
            (long.as_str(), "more than the limit of 100"),
        ] {
            let error = check_url(url, 100).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
