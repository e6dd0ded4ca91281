//! Checks every URL before it is requested, the first one and those of redirects. A [`Target`] is a URL that has passed.

use std::cell::Cell;

use url::{ParseError, SyntaxViolation, Url};

use crate::access_rules::AccessRules;
use media_cache_interfaces::FetchError;

/// A URL that may be requested: http or https, with an allowed host and port, without credentials.
#[derive(Clone, Debug)]
pub(crate) struct Target(Url);

impl Target {
    /// Checks the URL of a caller.
    pub(crate) fn parse(text: &str, rules: &AccessRules) -> Result<Self, FetchError> {
        let url = requestable(text).map_err(FetchError::InvalidUrl)?;
        rules.check_url(&url).map_err(|denied| FetchError::Refused(denied.to_string()))?;
        Ok(Self::without_fragment(url))
    }

    /// Checks the value of a `Location` header, which may be relative to this target.
    pub(crate) fn redirect(&self, location: &[u8], rules: &AccessRules) -> Result<Self, FetchError> {
        let unreadable = || FetchError::Other("the origin redirected to something that is not a URL".into());
        let location = std::str::from_utf8(location).map_err(|_| unreadable())?;
        let (url, problem) = parse(location, Some(&self.0)).map_err(|_| unreadable())?;
        let refused = |reason| FetchError::Refused(format!("the origin redirected to a URL that is not followed: {reason}"));
        check_requestable(&url, problem).map_err(refused)?;
        rules.check_url(&url).map_err(|denied| refused(denied.to_string()))?;
        Ok(Self::without_fragment(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The host, for messages.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    fn without_fragment(mut url: Url) -> Self {
        url.set_fragment(None);
        Self(url)
    }
}

/// Checks whether some downloader may request a URL: one that fetches from everywhere. Otherwise says why not.
pub(crate) fn requestable(text: &str) -> Result<Url, String> {
    let (url, problem) = parse(text, None).map_err(|error| error.to_string())?;
    check_requestable(&url, problem)?;
    Ok(url)
}

/// Checks a parsed URL. `problem` is what the parser found.
fn check_requestable(url: &Url, problem: Option<&str>) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is {}, and only http and https are fetched", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host".into());
    }
    problem.map_or(Ok(()), |problem| Err(problem.into()))
}

/// Parses a URL as browsers do, and reports what other parsers may read differently: one of them may have checked another host.
fn parse(text: &str, base: Option<&Url>) -> Result<(Url, Option<&'static str>), ParseError> {
    let problem = Cell::new(None);
    let note = |violation| problem.set(problem.get().or(ambiguity(violation)));
    let url = Url::options().base_url(base).syntax_violation_callback(Some(&note)).parse(text)?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    Ok((url, problem.get().or(has_credentials.then_some(CREDENTIALS))))
}

const CREDENTIALS: &str = "it carries credentials; leave them out";

fn ambiguity(violation: SyntaxViolation) -> Option<&'static str> {
    match violation {
        SyntaxViolation::EmbeddedCredentials | SyntaxViolation::UnencodedAtSign => Some(CREDENTIALS),
        SyntaxViolation::Backslash => Some("it has a backslash, which some take for a slash; write / or %5C"),
        SyntaxViolation::ExpectedDoubleSlash => Some("it has to go on with two slashes and a host behind its scheme"),
        SyntaxViolation::TabOrNewlineIgnored => Some("it has a tab or a line break within"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_an_http_url_with_a_host_and_without_credentials() {
        for url in ["http://example.org", "HTTPS://example.org:8443/a?b", "http://[2001:4860:4860::8888]/", "http://8.8.8.8/"] {
            assert!(Target::parse(url, &AccessRules::default()).is_ok(), "{url}");
        }
        let invalid = [
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
            "http://@example.org/",
            "http:///example.org/",
            "http:example.org",
            "http:\\\\example.org/",
            "http://example.org\\@example.net/",
            "http://exam\tple.org/",
            "ht\ntp://example.org/",
        ];
        for url in invalid {
            let Err(FetchError::InvalidUrl(reason)) = Target::parse(url, &AccessRules::default()) else {
                panic!("{url} was accepted")
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn redirect_is_resolved_against_its_source_and_checked() {
        let rules = AccessRules::default();
        let source = Target::parse("https://example.org/a/b?c#d", &rules).unwrap();
        let to = |location: &str| source.redirect(location.as_bytes(), &rules).map(|target| target.url().to_string());
        assert_eq!(to("/x").as_deref(), Ok("https://example.org/x"));
        assert_eq!(to("y?z#f").as_deref(), Ok("https://example.org/a/y?z"));
        assert_eq!(to("//other.example/é").as_deref(), Ok("https://other.example/%C3%A9"));
        for location in ["file:///etc/passwd", "ftp://example.org/", "https://user:secret@example.org/", "//127.1/?secret"] {
            let Err(FetchError::Refused(reason)) = to(location) else { panic!("{location} was followed") };
            assert!(!reason.contains("secret"), "{reason}");
        }
        assert!(matches!(to("http://:::/"), Err(FetchError::Other(_))));
        assert!(matches!(source.redirect(b"/\xff", &rules), Err(FetchError::Other(_))));
    }
}
