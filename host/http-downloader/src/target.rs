//! Checks every URL before it is requested, including those of redirects. A [`Target`] is a URL that has passed.

use std::borrow::Cow;
use std::cell::Cell;

use percent_encoding::{AsciiSet, percent_encode};
use url::{Host, ParseError, SyntaxViolation, Url};

use crate::access_rules::AccessRules;
use media_cache_interfaces::FetchError;

/// The longest host name and the longest label in it, in bytes (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// A URL that may be requested: http or https, with an allowed host and port, without credentials.
#[derive(Clone, Debug)]
pub(crate) struct Target(Url);

impl Target {
    /// Checks a URL from a caller.
    pub(crate) fn parse(text: &str, rules: &AccessRules) -> Result<Self, FetchError> {
        let url = requestable(text).map_err(FetchError::InvalidUrl)?;
        rules.check_url(&url).map_err(|denied| FetchError::Refused(denied.to_string()))?;
        Ok(Self::without_fragment(url))
    }

    /// Checks the value of a `Location` header, which may be relative to this target. As in browsers, raw bytes in it are percent-encoded.
    pub(crate) fn redirect(&self, location: &[u8], rules: &AccessRules) -> Result<Self, FetchError> {
        let unreadable = |_| FetchError::Other("the origin redirected to an invalid URL".into());
        let (url, problem) = parse(&location_text(location), Some(&self.0)).map_err(unreadable)?;
        let refused = |reason| FetchError::Refused(format!("the origin redirected to a URL that cannot be fetched: {reason}"));
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

/// Checks whether a downloader without access rules may request a URL. The error says why not.
pub(crate) fn requestable(text: &str) -> Result<Url, String> {
    let (url, problem) = parse(text, None).map_err(|error| error.to_string())?;
    check_requestable(&url, problem)?;
    Ok(url)
}

/// Checks a parsed URL. `problem` is what the parser found wrong with it, if anything.
fn check_requestable(url: &Url, problem: Option<&str>) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is {}, but only http and https are supported", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it has no host".into());
    }
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    match url.host() {
        Some(Host::Domain(name)) if !is_possible_name(name) => Err("its host name is invalid; see RFC 1035, section 2.3.4".into()),
        _ => Ok(()),
    }
}

/// The text of a `Location` header. Bytes that are not UTF-8 are percent-encoded, one by one.
fn location_text(location: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(location) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => percent_encode(location, &AsciiSet::EMPTY).to_string().into(),
    }
}

/// Whether a name, given in ASCII, can exist in DNS: labels of 1 to 63 letters, digits, hyphens and underscores, at most 253 bytes in
/// total, and optionally a trailing dot. Other names are not passed to a resolver.
fn is_possible_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=MAX_LABEL_BYTES).contains(&label.len()) && label.bytes().all(is_allowed)
    };
    name.len() <= MAX_NAME_BYTES && name.split('.').all(is_label)
}

/// Parses a URL as browsers do, and reports anything that other parsers may interpret differently: another program may have checked a
/// different host.
fn parse(text: &str, base: Option<&Url>) -> Result<(Url, Option<&'static str>), ParseError> {
    let problem = Cell::new(None);
    let note = |violation| problem.set(problem.get().or(ambiguity(violation)));
    let url = Url::options().base_url(base).syntax_violation_callback(Some(&note)).parse(text)?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    Ok((url, problem.get().or(has_credentials.then_some(CREDENTIALS))))
}

const CREDENTIALS: &str = "it contains credentials; remove them";

fn ambiguity(violation: SyntaxViolation) -> Option<&'static str> {
    match violation {
        SyntaxViolation::EmbeddedCredentials | SyntaxViolation::UnencodedAtSign => Some(CREDENTIALS),
        SyntaxViolation::Backslash => Some("it contains a backslash, which some programs treat as a slash; use / or %5C"),
        SyntaxViolation::ExpectedDoubleSlash => Some("its scheme must be followed by two slashes and a host"),
        SyntaxViolation::TabOrNewlineIgnored => Some("it contains a tab or a line break"),
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
    fn impossible_host_name_is_invalid() {
        let (label, rules) = ("a".repeat(63), AccessRules::default());
        let long = [label.as_str(), &label, &label, &"a".repeat(61)].join(".");
        for host in ["a.example", "a.example.", "_dmarc.a-.example", "-a.example", "xn--bcher-kva.example", "bücher.example", &long]
        {
            assert!(Target::parse(&format!("http://{host}/"), &rules).is_ok(), "{host}");
        }
        let too_long = format!("{long}a");
        let too_long_label = format!("{label}a.example");
        for host in
            ["a..example", ".a.example", "a.example..", "..", "a!b.example", "a~.example", "a'.example", &too_long, &too_long_label]
        {
            let result = Target::parse(&format!("http://{host}/"), &rules);
            assert!(matches!(result, Err(FetchError::InvalidUrl(_))), "{host}: {result:?}");
        }
        let source = Target::parse("https://example.org/", &rules).unwrap();
        assert!(matches!(source.redirect(b"//a..example/", &rules), Err(FetchError::Refused(_))));
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
        let escaped = |location: &[u8]| source.redirect(location, &rules).map(|target| target.url().to_string());
        assert_eq!(escaped(b"/synspr\xf8ve.png?\xff").as_deref(), Ok("https://example.org/synspr%F8ve.png?%FF"));
        assert_eq!(escaped(b"//other.example/\xc3\xa9").as_deref(), Ok("https://other.example/%C3%A9"));
        assert!(matches!(escaped(b"//\xff.example/"), Err(FetchError::Other(_))));
    }
}
