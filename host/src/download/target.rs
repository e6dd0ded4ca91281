//! What may be asked of whom: the one place that every URL passes before a request is made for it, the first as well as each that
//! an origin redirects to. Whoever holds a [`Target`] need not check it again.

use url::Url;

use super::FetchError;

/// A URL that may be requested: http or https, with a host, without credentials.
#[derive(Clone, Debug)]
pub(super) struct Target(Url);

impl Target {
    /// Checks a URL that a caller asked for.
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let url = Url::parse(text).map_err(|error| FetchError::InvalidUrl(error.to_string()))?;
        Self::checked(url).map_err(FetchError::InvalidUrl)
    }

    /// Checks where an origin sends us on to: the value of a `Location` header, which may be relative.
    pub(super) fn redirected(&self, location: &[u8]) -> Result<Self, FetchError> {
        let unreadable = || FetchError::Other("the origin redirected to something that is not a URL".into());
        let location = std::str::from_utf8(location).map_err(|_| unreadable())?;
        let url = self.0.join(location).map_err(|_| unreadable())?;
        Self::checked(url)
            .map_err(|reason| FetchError::Refused(format!("the origin redirected to a URL that is not followed: {reason}")))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The host as messages name it.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// What is wrong with a URL, if anything is.
    fn checked(mut url: Url) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("its scheme is {}, and only http and https are fetched", url.scheme()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("it names no host".into());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it carries credentials; leave them out".into());
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_with_a_host_and_without_credentials_are_asked_for() {
        for url in ["http://example.org", "HTTPS://example.org:8443/a?b", "http://[::1]/", "http://127.0.0.1/"] {
            assert!(Target::parse(url).is_ok(), "{url}");
        }
        let refused = [
            "",
            "example.org/a.png",
            "/a.png",
            "http://",
            "http:///",
            "https://?q",
            "http://user@example.org/",
            "http://:secret@example.org/",
            "http://user:secret@example.org/",
            "http://example.org:99999/",
            "http://exa mple.org/",
            "file:///etc/passwd",
            "ftp://example.org/a.png",
            "data:image/png;base64,AAAA",
            "javascript:alert(1)",
            "unix:/run/socket",
        ];
        for url in refused {
            let Err(FetchError::InvalidUrl(reason)) = Target::parse(url) else { panic!("{url} was accepted") };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn a_redirect_is_resolved_against_where_it_came_from_and_checked_again() {
        let from = Target::parse("https://example.org/a/b?c#d").unwrap();
        let to = |location: &str| from.redirected(location.as_bytes()).map(|target| target.url().to_string());
        assert_eq!(to("/x").as_deref(), Ok("https://example.org/x"));
        assert_eq!(to("y?z#f").as_deref(), Ok("https://example.org/a/y?z"));
        assert_eq!(to("//other.example/é").as_deref(), Ok("https://other.example/%C3%A9"));
        for location in ["file:///etc/passwd", "ftp://example.org/", "https://user:secret@example.org/"] {
            let Err(FetchError::Refused(reason)) = to(location) else { panic!("{location} was followed") };
            assert!(!reason.contains("secret"), "{reason}");
        }
        assert!(matches!(to("http://:::/"), Err(FetchError::Other(_))));
        assert!(matches!(from.redirected(b"/\xff"), Err(FetchError::Other(_))));
    }
}
