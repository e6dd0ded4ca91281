//! Protects administration without a token from web pages in the operator's browser (cross-site request forgery, DNS rebinding).
//!
//! A listener without tokens trusts every program that can connect to it, including a browser on the same machine. Cross-site requests
//! from web pages are recognised by `Origin` or `Sec-Fetch-Site` (the Fetch standard; Fetch Metadata). Requests from a page whose own
//! host name resolves to our address (DNS rebinding) are recognised by that name in `Host`.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::problem::Problem;

/// Refuses a request that a web page may have sent.
pub(crate) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |why: &str| {
        let why = format!("{why}: web pages may not use the admin endpoints without a token; require one with --admin-token-file");
        Problem::new(StatusCode::FORBIDDEN, "from-a-web-page", why)
    };
    if headers.contains_key(header::ORIGIN) && !is_own_page(headers) {
        return Err(refused("the request has the Origin of another site"));
    }
    let cross_site = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
    if headers.get_all("sec-fetch-site").iter().any(cross_site) {
        return Err(refused("according to Sec-Fetch-Site, the request comes from another site"));
    }
    let from_header = headers.get_all(header::HOST).iter().map(|host| Authority::try_from(host.as_bytes()).ok());
    let mut named = uri.authority().cloned().map(Some).into_iter().chain(from_header).peekable();
    if named.peek().is_none() || !named.all(|authority| authority.as_ref().is_some_and(is_local)) {
        return Err(refused("the Host header of the request is neither an IP address nor localhost"));
    }
    Ok(())
}

/// Whether the request comes from a page of this listener, which can only be the dashboard, since media runs no scripts: the `Origin` is a
/// scheme and exactly the `Host`, which must also be an address or localhost.
fn is_own_page(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None, Some(host)) = (origins.next(), origins.next(), headers.get(header::HOST)) else { return false };
    let origin = origin.as_bytes();
    let authority = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| origin.strip_prefix(scheme));
    authority.is_some_and(|authority| !authority.is_empty() && authority.eq_ignore_ascii_case(host.as_bytes()))
}

/// Whether the host is an IP address or localhost. An attacker cannot make these resolve to our address.
fn is_local(authority: &Authority) -> bool {
    let host = authority.host();
    let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_address = match unbracketed {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok(),
    };
    !authority.as_str().contains('@') && (is_address || host.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(uri: &str, sent: &[(&'static str, &str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        check(&uri.parse().unwrap(), &headers).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn requests_to_an_address_or_localhost_are_accepted() {
        for host in ["127.0.0.1:8081", "127.0.0.1", "[::1]:8081", "[::1]", "localhost:8081", "LocalHost", "192.0.2.7:80"] {
            assert_eq!(verdict("/stats", &[("host", host)]), Ok(()), "{host}");
        }
        for site in ["none", "same-origin"] {
            assert_eq!(verdict("/stats", &[("host", "localhost"), ("sec-fetch-site", site)]), Ok(()), "{site}");
        }
        for scheme in ["http", "https"] {
            let origin = format!("{scheme}://127.0.0.1:8081");
            let sent = [("host", "127.0.0.1:8081"), ("origin", &origin), ("sec-fetch-site", "same-origin")];
            assert_eq!(verdict("/policy", &sent), Ok(()), "a request of the dashboard");
        }
        assert_eq!(verdict("http://127.0.0.1/stats", &[("host", "127.0.0.1")]), Ok(()));
        assert_eq!(verdict("http://127.0.0.1/stats", &[]), Ok(()), "HTTP/2 has no Host");
    }

    #[test]
    fn requests_from_web_pages_are_refused() {
        let local = ("host", "127.0.0.1:8081");
        for (sent, why) in [
            (&[local, ("origin", "https://evil.example")][..], "the Origin"),
            (&[local, ("origin", "null")], "the Origin"),
            (&[local, ("origin", "http://127.0.0.1:8080")], "the Origin"),
            (&[local, ("origin", "http://127.0.0.1")], "the Origin"),
            (&[local, ("origin", "http://localhost:8081")], "the Origin"),
            (&[local, ("origin", "file://127.0.0.1:8081")], "the Origin"),
            (&[local, ("origin", "127.0.0.1:8081")], "the Origin"),
            (&[local, ("origin", "http://127.0.0.1:8081"), ("origin", "null")], "the Origin"),
            (&[local, ("origin", "http://127.0.0.1:8081"), ("sec-fetch-site", "cross-site")], "another site"),
            (&[("host", "evil.example"), ("origin", "http://evil.example")], "the Host"),
            (&[local, ("host", "evil.example"), ("origin", "http://127.0.0.1:8081")], "the Host"),
            (&[("origin", "http://")], "the Origin"),
            (&[local, ("sec-fetch-site", "cross-site")], "another site"),
            (&[local, ("sec-fetch-site", "same-site")], "another site"),
            (&[local, ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], "another site"),
            (&[("host", "evil.example:8081")], "the Host"),
            (&[("host", "127.0.0.1.evil.example")], "the Host"),
            (&[("host", "localhost.evil.example")], "the Host"),
            (&[("host", "evil.localhost")], "the Host"),
            (&[("host", "localhost.")], "the Host"),
            (&[("host", "localhost@evil.example")], "the Host"),
            (&[("host", "evil.example@localhost")], "the Host"),
            (&[("host", "0x7f.1")], "the Host"),
            (&[("host", "::1")], "the Host"),
            (&[("host", "[127.0.0.1]")], "the Host"),
            (&[("host", "")], "the Host"),
            (&[local, ("host", "evil.example")], "the Host"),
            (&[], "the Host"),
        ] {
            let verdict = verdict("/stats", sent);
            assert!(
                verdict.as_ref().is_err_and(|said| said.contains(why) && said.contains("from-a-web-page")),
                "{sent:?}: {verdict:?}"
            );
        }
        assert!(verdict("http://evil.example/stats", &[local]).is_err(), "the authority of the request line counts too");
    }
}
