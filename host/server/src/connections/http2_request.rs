//! Checks what HTTP/2 leaves open about a request.

use axum::http::{HeaderValue, Method, StatusCode, header, request};

use crate::problem::Problem;

/// Puts the host of a request into `Host`, where the handlers expect it, as over HTTP/1.
///
/// # Errors
/// Refuses requests without a host, with several (RFC 9113, section 8.3.1), and those for a tunnel.
pub(crate) fn check_request(parts: &mut request::Parts) -> Result<(), Problem> {
    if parts.method == Method::CONNECT {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this is not a proxy: CONNECT is not supported",
        ));
    }
    let refusal = |why| Problem::new(StatusCode::BAD_REQUEST, "bad-request", why);
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(refusal("the request has more than one Host"));
    }
    let Some(authority) = parts.uri.authority() else {
        return if host.is_some() { Ok(()) } else { Err(refusal("the request names no host")) };
    };
    if host.is_some_and(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())) {
        return Err(refusal("Host and :authority differ"));
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| refusal("the host is not valid"))?;
    parts.headers.insert(header::HOST, host);
    Ok(())
}
