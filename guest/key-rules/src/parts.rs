//! The parts of a URL, as they stand in its text.

/// A URL of the form `scheme://host…`. Put together again, with `://`, `?` and `#` where they belong, the parts are the URL.
pub(crate) struct Parts<'a> {
    pub scheme: &'a str,
    /// With the `@` behind it, or empty.
    pub userinfo: &'a str,
    /// Not empty. With its brackets where it is the literal of an IPv6 address.
    pub host: &'a str,
    /// The port, with the `:` before it, and the path.
    pub rest: &'a str,
    /// What stands between `?` and `#`.
    pub query: Option<&'a str>,
    /// What stands behind `#`.
    pub fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Finds the parts where browsers find them (the URL Standard of the WHATWG). `None` for what has another form, and for what has
    /// characters in it that browsers leave out.
    pub fn of(url: &'a str) -> Option<Self> {
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return None;
        }
        let (scheme, rest) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme))?;
        if scheme.eq_ignore_ascii_case("file") {
            // What stands there may be the letter of a drive.
            return None;
        }
        let (rest, fragment) = split(rest, '#');
        let (rest, query) = split(rest, '?');
        let end = rest.find(['/', '\\']).unwrap_or(rest.len());
        let authority = &rest[..end];
        if rest[end..].starts_with('\\') {
            // The end of the host in some schemes, and a part of it in others.
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

    /// Whether the scheme or the host would be another in lower case.
    pub fn has_upper_case(&self) -> bool {
        self.scheme.bytes().chain(self.host.bytes()).any(|byte| byte.is_ascii_uppercase())
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn split(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, behind)| (before, Some(behind)))
}
