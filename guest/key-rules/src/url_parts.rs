//! Splits the text of a URL into its parts, so that rules can change one part and keep the others byte for byte.

/// A URL of the form `scheme://host…`. Joining the parts with `://`, `?` and `#` yields the URL again.
pub(crate) struct UrlParts<'a> {
    pub scheme: &'a str,
    /// The credentials, including the `@` after them, or empty.
    pub userinfo: &'a str,
    /// The host, which is not empty. An IPv6 address includes its brackets.
    pub host: &'a str,
    /// The port, including the `:` before it, and the path.
    pub rest: &'a str,
    /// The text between `?` and `#`.
    pub query: Option<&'a str>,
    /// The text after `#`.
    pub fragment: Option<&'a str>,
}

impl<'a> UrlParts<'a> {
    /// Splits a URL the way browsers do (WHATWG URL Standard). Returns `None` for URLs of another form, and for text with characters that
    /// browsers remove.
    pub fn of(url: &'a str) -> Option<Self> {
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme))?;
        if scheme.eq_ignore_ascii_case("file") {
            // The host may be a drive letter.
            return None;
        }
        let (rest, fragment) = split(rest, '#');
        let (rest, query) = split(rest, '?');
        let end = rest.find(['/', '\\']).unwrap_or(rest.len());
        let authority = &rest[..end];
        if rest[end..].starts_with('\\') {
            // A backslash ends the host in some schemes, and is part of it in others.
            return None;
        }
        let (userinfo, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let host = match host.find(']') {
            Some(end) if host.starts_with('[') => &host[..=end],
            _ => &host[..host.find(':').unwrap_or(host.len())],
        };
        let rest = &rest[userinfo.len() + host.len()..];
        (!host.is_empty()).then_some(Self { scheme, userinfo, host, rest, query, fragment })
    }

    /// Whether the scheme or the host has upper-case letters.
    pub fn has_upper_case(&self) -> bool {
        self.scheme.bytes().chain(self.host.bytes()).any(|byte| byte.is_ascii_uppercase())
    }
}

/// Whether the text is a valid scheme (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, behind)| (before, Some(behind)))
}
