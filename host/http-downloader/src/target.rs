//! Checks every URL before it is requested, the first one and those of redirects. A [`Target`] is a URL that has passed.

use std::cell::Cell;

use url::{ParseError, SyntaxViolation, Url};

use crate::access_rules::{AccessRules, Denied};
use media_cache_interfaces::FetchError;

/// A URL that may be requested: http or https, with an allowed host and port, without credentials.
#[derive(Clone, Debug)]
pub(crate) struct Target(Url);

/// Why a URL is not requested.
enum Rejection {
    /// It cannot be requested.
    Invalid(String),
    /// The access rules deny it.
    Denied(Denied),
}

impl Target {
    /// Checks the URL of a caller.
    pub(crate) fn parse(text: &str, rules: &AccessRules) -> Result<Self, FetchError> {
        let (url, problem) = parse(text, None).map_err(|error| FetchError::InvalidUrl(error.to_string()))?;
        Self::checked(url, problem, rules).map_err(|rejection| match rejection {
            Rejection::Invalid(reason) => FetchError::InvalidUrl(reason),
            Rejection::Denied(denied) => FetchError::Refused(denied.to_string()),
        })
    }

    /// Checks the value of a `Location` header, which may be relative to this target.
    pub(crate) fn redirect(&self, location: &[u8], rules: &AccessRules) -> Result<Self, FetchError> {
        let unreadable = || FetchError::Other("the origin redirected to something that is not a URL".into());
        let location = std::str::from_utf8(location).map_err(|_| unreadable())?;
        let (url, problem) = parse(location, Some(&self.0)).map_err(|_| unreadable())?;
        Self::checked(url, problem, rules).map_err(|rejection| {
            let reason = match rejection {
                Rejection::Invalid(reason) => reason,
                Rejection::Denied(denied) => denied.to_string(),
            };
            FetchError::Refused(format!("the origin redirected to a URL that is not followed: {reason}"))
        })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The host, for messages.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Checks a parsed URL. `problem` is what the parser found.
    fn checked(mut url: Url, problem: Option<&str>, rules: &AccessRules) -> Result<Self, Rejection> {
        let invalid = |reason: &str| Err(Rejection::Invalid(reason.to_owned()));
        if !matches!(url.scheme(), "http" | "https") {
            return invalid(&format!("its scheme is {}, and only http and https are fetched", url.scheme()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return invalid("it names no host");
        }
        if let Some(problem) = problem {
            return invalid(problem);
        }
        rules.check_url(&url).map_err(Rejection::Denied)?;
        url.set_fragment(None);
        Ok(Self(url))
    }
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
