//! The URLs of Matrix media, `mxc://server-name/media-id` (Matrix specification 1.11, client-server API, "Content repository").

use std::net::Ipv6Addr;

/// The scheme with its slashes. It is compared ignoring case.
const SCHEME: &str = "mxc://";

/// The maximum length of a server name, as specified, and of a media ID, in bytes.
const MAX_NAME_BYTES: usize = 255;

/// The error for a URL that has the scheme `mxc` but is invalid.
pub(crate) const INVALID_MXC: &str = "the URL of Matrix media has the form mxc://server/id";

/// A valid `mxc` URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MxcUrl<'a> {
    pub(crate) server_name: &'a str,
    pub(crate) media_id: &'a str,
}

impl<'a> MxcUrl<'a> {
    /// Parses an `mxc` URL. A query and a fragment have no meaning and are ignored, as in cache keys.
    pub(crate) fn parse(url: &'a str) -> Option<Self> {
        let rest = url.get(SCHEME.len()..).filter(|_| is_mxc(url))?;
        let (server_name, media_id) = rest.split(['?', '#']).next()?.split_once('/')?;
        (is_server_name(server_name) && is_media_id(media_id)).then_some(Self { server_name, media_id })
    }
}

/// Whether a URL has the scheme `mxc`, valid or not.
pub(crate) fn is_mxc(url: &str) -> bool {
    url.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Whether this is a server name according to the specification's appendices: a host, and optionally a port.
fn is_server_name(name: &str) -> bool {
    let (host, port) = match name.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (name, None),
    };
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) && !is_dots(host),
    };
    port.is_none_or(is_port) && is_host && name.len() <= MAX_NAME_BYTES
}

/// Whether this is a media ID. The specification allows letters, digits, `-` and `_`; some servers use other characters that need no
/// encoding in a path.
fn is_media_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'=');
    id.bytes().all(is_allowed) && !is_dots(id) && id.len() <= MAX_NAME_BYTES
}

/// Whether a segment is empty or consists of dots, which have a special meaning in paths.
fn is_dots(segment: &str) -> bool {
    segment.bytes().all(|byte| byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mxc_url_is_split_into_server_name_and_media_id() {
        let table = [
            ("mxc://example.org/aBc", "example.org", "aBc"),
            ("MXC://a.b:8448/x-_~", "a.b:8448", "x-_~"),
            ("mxc://[::1]:1/a?b#c", "[::1]:1", "a"),
            ("mxc://1.2.3.4/..a#auto", "1.2.3.4", "..a"),
        ];
        for (url, server_name, media_id) in table {
            assert_eq!(MxcUrl::parse(url), Some(MxcUrl { server_name, media_id }), "{url}");
        }
    }

    #[test]
    fn url_without_a_valid_server_name_and_media_id_is_invalid() {
        let long = format!("mxc://example.org/{}", "x".repeat(256));
        let invalid = [
            "mxc://",
            "mxc:///id",
            "mxc://server",
            "mxc://server/",
            "mxc://server/a/b",
            "mxc://server/..",
            "mxc://../id",
            "mxc://./id",
            "mxc://server/.",
            "mxc://server/%2e%2e",
            "mxc://server/a%2fb",
            "mxc://server/a\\b",
            "mxc://user@server/id",
            "mxc://a b/c",
            "mxc://server:/id",
            "mxc://server:123456/id",
            "mxc://server:x/id",
            "mxc://[::1/id",
            "mxc://[x]/id",
            "mxc://sérver/id",
            "mxc://server/é",
            "mxc://server/a\nb",
            "mxc://?/id",
            &long,
        ];
        for url in invalid {
            assert!(is_mxc(url));
            assert_eq!(MxcUrl::parse(url), None, "{url}");
        }
    }
}
