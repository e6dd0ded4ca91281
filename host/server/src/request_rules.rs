//! Refuses requests that must not reach any route: those that are ambiguous according to RFC 9112, those from browsers for active content,
//! and those that this service sent to itself.
//!
//! hyper refuses requests that it cannot parse. This module performs the checks that hyper leaves to its users.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use media_cache_requests::Pseudonym;

use crate::fetch_destination;
use crate::problem::Problem;
use crate::routes;
use crate::uploads;

/// Passes a request on if it conforms to the rules.
pub(crate) async fn check(State(own): State<Option<Pseudonym>>, request: Request, next: Next) -> Response {
    let checked = check_host(&request)
        .and_then(|()| check_transfer_coding(&request))
        .and_then(|()| fetch_destination::check(request.headers(), routes::is_page_file(request.uri().path())))
        .and_then(|()| own.map_or(Ok(()), |own| check_loop(&own, request.headers())));
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Checks that there is only one `Host`, that it is valid, and that it is not missing from an HTTP/1.1 request (RFC 9112, section 3.2).
fn check_host(request: &Request) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => Err(Problem::bad_request("the request has several Host headers; it must have exactly one")),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err(Problem::bad_request("the Host header of the request is not a valid host with an optional port")),
        (None, _) if request.version() == Version::HTTP_11 => {
            Err(Problem::bad_request("the request has no Host header, which HTTP/1.1 requires"))
        }
        (None, _) => Ok(()),
    }
}

/// Whether a `Host` is empty, or a host with an optional port. A comma is refused, because a proxy may have joined two headers with it.
pub(crate) fn is_host(host: &[u8]) -> bool {
    let is_joined = host.iter().any(|byte| b"@,".contains(byte));
    let is_authority = |authority: Authority| authority.port_u16().is_some() || authority.host().len() == host.len();
    host.is_empty() || (!is_joined && Authority::try_from(host).is_ok_and(is_authority))
}

/// Checks the transfer codings of a request. Other headers about the body are checked where it is stored.
fn check_transfer_coding(request: &Request) -> Result<(), Problem> {
    match request.headers().contains_key(header::TRANSFER_ENCODING) {
        true => uploads::check_framing(request.headers()),
        false => Ok(()),
    }
}

/// Refuses a request that this service sent to itself, directly or through others, because it would wait for itself. Responses have no
/// `Via`, because the service is their origin.
fn check_loop(own: &Pseudonym, headers: &HeaderMap) -> Result<(), Problem> {
    if own.is_in(headers) {
        let why = format!("this service sent the request itself ({own} is in Via): its URL leads back to the service");
        return Err(Problem::new(StatusCode::LOOP_DETECTED, "loop-detected", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(version: Version, sent: &[(&'static str, &str)]) -> Request {
        let mut request = Request::builder().version(version).uri("/healthz");
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn http_1_1_request_requires_exactly_one_valid_host_header() {
        let is_accepted = |version, sent: &[_]| check_host(&request(version, sent)).is_ok();
        for host in ["x", "x:80", "[::1]:8080", "192.0.2.1", ""] {
            assert!(is_accepted(Version::HTTP_11, &[("host", host)]), "{host}");
        }
        for host in ["a b", "a/b", "a@b", "a,b", "x:port", "[::1", "http://x"] {
            assert!(!is_accepted(Version::HTTP_11, &[("host", host)]), "{host}");
        }
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(is_accepted(version, &[]), version == Version::HTTP_10);
            assert!(!is_accepted(version, &[("host", "x"), ("host", "x")]));
        }
    }

    #[test]
    fn transfer_codings_other_than_chunked_are_not_implemented_and_chunked_twice_is_an_error() {
        for (coding, status) in [("gzip, chunked", 501), ("gzip", 501), ("chunked, chunked", 400), ("chunked, identity", 400)] {
            let refused = check_transfer_coding(&request(Version::HTTP_11, &[("transfer-encoding", coding)])).unwrap_err();
            assert_eq!(refused.into_response().status(), status, "{coding}");
        }
        assert!(check_transfer_coding(&request(Version::HTTP_11, &[("transfer-encoding", "Chunked")])).is_ok());
        assert!(check_transfer_coding(&request(Version::HTTP_11, &[("content-encoding", "gzip")])).is_ok());
    }
}
