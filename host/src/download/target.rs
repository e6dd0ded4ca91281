//! What may be asked of whom: the one place that every URL passes before a request is made for it, the first as well as each that
//! an origin redirects to. Whoever holds a [`Target`] need not check it again.

use std::cell::Cell;

use url::{ParseError, SyntaxViolation, Url};

use super::FetchError;
use super::access::{AccessRules, Denied};

/// A URL that may be requested: http or https, with a host that may be fetched from, without credentials.
#[derive(Clone, Debug)]
pub(super) struct Target(Url);

/// Why a URL is not requested.
enum Unfit {
    /// It is none that could be.
    Invalid(String),
    /// It is against the rules.
    Denied(Denied),
}

impl Target {
    /// Checks a URL that a caller asked for.
    pub(super) fn parse(text: &str, rules: &AccessRules) -> Result<Self, FetchError> {
        let (url, trouble) = read(text, None).map_err(|error| FetchError::InvalidUrl(error.to_string()))?;
        Self::checked(url, trouble, rules).map_err(|unfit| match unfit {
            Unfit::Invalid(reason) => FetchError::InvalidUrl(reason),
            Unfit::Denied(why) => FetchError::Refused(why.to_string()),
        })
    }

    /// Checks where an origin sends us on to: the value of a `Location` header, which may be relative.
    pub(super) fn redirected(&self, location: &[u8], rules: &AccessRules) -> Result<Self, FetchError> {
        let unreadable = || FetchError::Other("the origin redirected to something that is not a URL".into());
        let location = std::str::from_utf8(location).map_err(|_| unreadable())?;
        let (url, trouble) = read(location, Some(&self.0)).map_err(|_| unreadable())?;
        Self::checked(url, trouble, rules).map_err(|unfit| {
            let reason = match unfit {
                Unfit::Invalid(reason) => reason,
                Unfit::Denied(why) => why.to_string(),
            };
            FetchError::Refused(format!("the origin redirected to a URL that is not followed: {reason}"))
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The host as messages name it.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// What is wrong with a URL, if anything is. `trouble` is what was found while it was read.
    fn checked(mut url: Url, trouble: Option<&str>, rules: &AccessRules) -> Result<Self, Unfit> {
        let invalid = |reason: &str| Err(Unfit::Invalid(reason.to_owned()));
        if !matches!(url.scheme(), "http" | "https") {
            return invalid(&format!("its scheme is {}, and only http and https are fetched", url.scheme()));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return invalid("it names no host");
        }
        if let Some(trouble) = trouble {
            return invalid(trouble);
        }
        rules.check_url(&url).map_err(Unfit::Denied)?;
        url.set_fragment(None);
        Ok(Self(url))
    }
}

/// Reads a URL as browsers do, and says what they would only guess at: whoever looked at the URL before may have guessed otherwise, and
/// seen another host.
fn read(text: &str, base: Option<&Url>) -> Result<(Url, Option<&'static str>), ParseError> {
    let trouble = Cell::new(None);
    let note = |violation| trouble.set(trouble.get().or(dangerous(violation)));
    let url = Url::options().base_url(base).syntax_violation_callback(Some(&note)).parse(text)?;
    let credentials = !url.username().is_empty() || url.password().is_some();
    Ok((url, trouble.get().or(credentials.then_some(CREDENTIALS))))
}

const CREDENTIALS: &str = "it carries credentials; leave them out";

fn dangerous(violation: SyntaxViolation) -> Option<&'static str> {
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
    fn only_http_urls_with_a_host_and_without_credentials_are_asked_for() {
        for url in ["http://example.org", "HTTPS://example.org:8443/a?b", "http://[2001:4860:4860::8888]/", "http://8.8.8.8/"] {
            assert!(Target::parse(url, &AccessRules::default()).is_ok(), "{url}");
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
            "http://@example.org/",
            "http:///example.org/",
            "http:example.org",
            "http:\\\\example.org/",
            "http://example.org\\@example.net/",
            "http://exam\tple.org/",
            "ht\ntp://example.org/",
        ];
        for url in refused {
            let Err(FetchError::InvalidUrl(reason)) = Target::parse(url, &AccessRules::default()) else {
                panic!("{url} was accepted")
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    #[test]
    fn a_redirect_is_resolved_against_where_it_came_from_and_checked_again() {
        let rules = AccessRules::default();
        let from = Target::parse("https://example.org/a/b?c#d", &rules).unwrap();
        let to = |location: &str| from.redirected(location.as_bytes(), &rules).map(|target| target.url().to_string());
        assert_eq!(to("/x").as_deref(), Ok("https://example.org/x"));
        assert_eq!(to("y?z#f").as_deref(), Ok("https://example.org/a/y?z"));
        assert_eq!(to("//other.example/é").as_deref(), Ok("https://other.example/%C3%A9"));
        for location in ["file:///etc/passwd", "ftp://example.org/", "https://user:secret@example.org/", "//127.1/?secret"] {
            let Err(FetchError::Refused(reason)) = to(location) else { panic!("{location} was followed") };
            assert!(!reason.contains("secret"), "{reason}");
        }
        assert!(matches!(to("http://:::/"), Err(FetchError::Other(_))));
        assert!(matches!(from.redirected(b"/\xff", &rules), Err(FetchError::Other(_))));
    }
}
