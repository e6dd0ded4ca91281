//! Headers that an operator adds to requests to origins, for all hosts or for some.
//!
//! Each request gets the headers for its own host, even after a redirect. Headers that determine where a message ends, or what a response
//! means, cannot be set. Credentials are sent only to named hosts, and only encrypted unless the operator chooses otherwise.

use std::fmt;
use std::str::FromStr;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::host_pattern::HostPattern;

/// A header of requests: `NAME: VALUE` for all hosts, `HOST=NAME: VALUE` for those that match a [`HostPattern`]. Without a value, a header
/// that would otherwise be sent is omitted.
///
/// Credentials need a host, and are sent over https only; `http://HOST=NAME: VALUE` also sends them unencrypted. `Authorization` and
/// `Cookie` are credentials, and so is every header whose name suggests a secret, such as `X-Api-Key`.
#[derive(Clone, PartialEq, Eq)]
pub struct OriginHeader {
    hosts: Option<HostPattern>,
    /// Whether credentials may be sent over http.
    unencrypted: bool,
    name: HeaderName,
    value: Option<HeaderValue>,
}

/// The text is not an [`OriginHeader`]. The message never contains the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOriginHeader {
    /// It has no colon, or no valid name before the colon.
    #[error("a header has the form `NAME: VALUE`, or `HOST=NAME: VALUE` for some hosts")]
    Form,
    /// The text before `=` is not a host.
    #[error(
        "the text before `=` is not a host; use the form example.org, *.example.org, 192.0.2.1 or 2001:db8::1, without a port \
         or a path"
    )]
    Host,
    /// The value contains characters that are not allowed in a header.
    #[error("the value of {0} contains characters that are not allowed in a header")]
    Value(HeaderName),
    /// Operators cannot set this header.
    #[error("{name} cannot be set: {why}")]
    Reserved {
        /// The header that cannot be set.
        name: HeaderName,
        /// Why it cannot be set.
        why: &'static str,
    },
    /// It contains credentials, and would be sent to every host.
    #[error(
        "{0} contains credentials, which would be sent to the host of any URL; name the host that they are for: \
         `example.org={0}: VALUE`, or `*.example.org={0}: VALUE`"
    )]
    CredentialsForAll(HeaderName),
}

impl OriginHeader {
    /// The name of the header.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The part before the value: `name` or `HOST=name`.
    #[must_use]
    pub fn without_value(&self) -> String {
        let scheme = if self.unencrypted { "http://" } else { "" };
        self.hosts.as_ref().map_or_else(|| self.name.to_string(), |hosts| format!("{scheme}{hosts}={}", self.name))
    }

    /// Whether the header is sent with a request for this URL.
    fn applies_to(&self, url: &Url) -> bool {
        let is_host = self.hosts.as_ref().is_none_or(|hosts| url.host().is_some_and(|host| hosts.matches(&host)));
        is_host && (!is_credential(&self.name) || self.unencrypted || url.scheme() == "https")
    }
}

/// Sets the headers of a request for a URL. Among several with the same name, the last one that applies wins. Returns whether there are
/// credentials among them.
pub(crate) fn apply(chosen: &[OriginHeader], url: &Url, headers: &mut HeaderMap) -> bool {
    for header in chosen.iter().filter(|header| header.applies_to(url)) {
        match &header.value {
            Some(value) => drop(headers.insert(header.name.clone(), value.clone())),
            None => drop(headers.remove(&header.name)),
        }
    }
    headers.keys().any(is_credential)
}

/// Words in the names of headers that contain credentials.
const CREDENTIAL_WORDS: [&str; 9] = ["auth", "token", "key", "secret", "cookie", "session", "credential", "password", "signature"];

fn is_credential(name: &HeaderName) -> bool {
    // A `HeaderName` is in lower case.
    let name = name.as_str();
    name.starts_with("proxy-") || CREDENTIAL_WORDS.iter().any(|word| name.contains(word))
}

/// Why a header cannot be set.
fn reserved(name: &HeaderName) -> Option<&'static str> {
    match name.as_str() {
        "host" => Some("it is the host of the URL"),
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding" | "upgrade" | "expect"
        | "http2-settings" => Some("it changes how messages are sent over the connection"),
        "accept-encoding" => Some("media is stored unencoded, so no content coding is accepted"),
        "range" => Some("media is always fetched as a whole"),
        "via" => Some("a service uses it to recognise its own requests"),
        "proxy-authorization" => Some("no proxy is used"),
        name if name.starts_with("content-") => Some("it describes a body, and these requests have none"),
        name if name.starts_with("if-") => Some("media is fetched whether it has changed or not"),
        _ => None,
    }
}

impl FromStr for OriginHeader {
    type Err = InvalidOriginHeader;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, header) = split_host(text);
        let unencrypted = host.and_then(|host| host.strip_prefix("http://"));
        let hosts = unencrypted.or(host).map(|host| host.trim().parse().map_err(|_| InvalidOriginHeader::Host)).transpose()?;
        let (name, value) = header.split_once(':').ok_or(InvalidOriginHeader::Form)?;
        let name: HeaderName = name.trim().parse().map_err(|_| InvalidOriginHeader::Form)?;
        if let Some(why) = reserved(&name) {
            return Err(InvalidOriginHeader::Reserved { name, why });
        }
        if hosts.is_none() && is_credential(&name) {
            return Err(InvalidOriginHeader::CredentialsForAll(name));
        }
        let value = match value.trim() {
            "" => None,
            value => {
                let mut value = HeaderValue::from_str(value).map_err(|_| InvalidOriginHeader::Value(name.clone()))?;
                value.set_sensitive(is_credential(&name));
                Some(value)
            }
        };
        Ok(Self { hosts, unencrypted: unencrypted.is_some(), name, value })
    }
}

/// The text before the first `=`, unless that is part of the value. A name contains no `=`, and a host no space.
fn split_host(text: &str) -> (Option<&str>, &str) {
    let Some((before, after)) = text.split_once('=') else { return (None, text) };
    let host = before.strip_prefix("http://").unwrap_or(before).trim();
    let is_value = host.contains(':') && host.parse::<HostPattern>().is_err();
    if is_value || !after.contains(':') { (None, text) } else { (Some(before.trim()), after) }
}

/// Omits the value, which may be a secret.
impl fmt::Debug for OriginHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginHeader({})", self.without_value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of a request for a URL, as `name: value`, and whether there are credentials among them.
    fn sent(chosen: &[&str], url: &str) -> (Vec<String>, bool) {
        let chosen: Vec<OriginHeader> = chosen.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("*/*"))]);
        let has_credentials = apply(&chosen, &Url::parse(url).unwrap(), &mut headers);
        let mut lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort_unstable();
        (lines, has_credentials)
    }

    #[test]
    fn header_is_sent_to_the_hosts_that_match_its_pattern() {
        let chosen =
            ["Referer: https://all.example/?a=b:c", "*.example.org=Referer: https://example.org/", "a.example.org=Accept:"];
        assert_eq!(sent(&chosen, "http://other.net/").0, ["accept: */*", "referer: https://all.example/?a=b:c"]);
        assert_eq!(sent(&chosen, "http://b.example.org./").0, ["accept: */*", "referer: https://example.org/"]);
        assert_eq!(sent(&chosen, "http://a.example.org/").0, ["referer: https://example.org/"], "without a value it is left out");
        let by_address = ["2001:db8::1=X-A: 1", "192.0.2.1=X-A: 2", "http://192.0.2.2=X-A: 3"];
        assert_eq!(sent(&by_address, "http://[2001:db8::1]/").0, ["accept: */*", "x-a: 1"]);
        assert_eq!(sent(&by_address, "https://192.0.2.1/").0, ["accept: */*", "x-a: 2"]);
        assert_eq!(sent(&by_address, "https://192.0.2.2/").0, ["accept: */*", "x-a: 3"]);
        assert_eq!(sent(&["X-A: 1", "example.org=x-a: 2", "X-A: 3"], "http://example.org/").0, ["accept: */*", "x-a: 3"]);
    }

    #[test]
    fn credentials_are_sent_only_to_named_hosts_and_encrypted_by_default() {
        let chosen = ["example.org=Authorization: Bearer secret", "http://plain.example=Cookie: a=b; c=d"];
        assert_eq!(
            sent(&chosen, "https://example.org/"),
            (vec!["accept: */*".into(), "authorization: Bearer secret".into()], true)
        );
        assert_eq!(sent(&chosen, "http://plain.example/"), (vec!["accept: */*".into(), "cookie: a=b; c=d".into()], true));
        for elsewhere in
            ["http://example.org/", "https://www.example.org/", "https://example.org.evil.example/", "https://evil.net/"]
        {
            assert_eq!(sent(&chosen, elsewhere), (vec!["accept: */*".into()], false), "{elsewhere}");
        }
        let header: OriginHeader = chosen[0].parse().unwrap();
        assert_eq!(format!("{header:?}"), "OriginHeader(example.org=authorization)");
    }

    #[test]
    fn header_whose_name_suggests_a_secret_is_a_credential() {
        for name in
            ["X-Api-Key", "PRIVATE-TOKEN", "X-Auth", "Client-Secret", "X-Session-Id", "Cookie2", "X-Credentials", "X-Password"]
        {
            let error = format!("{name}: zz").parse::<OriginHeader>().expect_err(name);
            assert!(matches!(error, InvalidOriginHeader::CredentialsForAll(_)), "{name}: {error}");
            let chosen = [&*format!("a.org={name}: zz"), &*format!("http://b.org={name}: zz")];
            assert!(sent(&chosen, "https://a.org/").1 && !sent(&chosen, "http://a.org/").1, "{name}");
            assert!(sent(&chosen, "http://b.org/").1, "{name}");
        }
        for name in ["X-Signature", "Proxy-Status"] {
            assert!(format!("{name}: zz").parse::<OriginHeader>().is_err(), "{name}");
        }
        for name in ["User-Agent", "Accept", "Accept-Language", "Referer", "X-Foo"] {
            assert!(!sent(&[&format!("{name}: zz")], "http://a.org/").1, "{name}");
        }
    }

    #[test]
    fn invalid_header_is_rejected_without_its_value() {
        let table = [
            ("", "has the form `NAME: VALUE`"),
            ("Referer", "has the form `NAME: VALUE`"),
            ("example.org=Referer", "has the form `NAME: VALUE`"),
            ("two words: secret", "has the form `NAME: VALUE`"),
            ("*=X-A: secret", "*.example.org"),
            ("X-A secret=a: b", "*.example.org"),
            ("X-A: sec\nret", "characters that are not allowed in a header"),
            ("X-A: sec\u{7f}ret", "characters that are not allowed in a header"),
            ("Authorization: secret", "example.org=authorization: VALUE"),
            ("Cookie: a=secret:1", "example.org=cookie: VALUE"),
            ("Host: secret", "host of the URL"),
            ("example.org=Content-Length: 3", "describes a body"),
            ("Transfer-Encoding: chunked", "over the connection"),
            ("Connection: close", "over the connection"),
            ("TE: trailers", "over the connection"),
            ("Upgrade: h2c", "over the connection"),
            ("Via: 1.1 secret", "recognise its own requests"),
            ("Accept-Encoding: gzip", "no content coding is accepted"),
            ("Range: bytes=0-1", "as a whole"),
            ("If-None-Match: secret", "whether it has changed"),
            ("Proxy-Authorization: secret", "no proxy"),
        ];
        for (text, expected) in table {
            let error = text.parse::<OriginHeader>().expect_err(text).to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
