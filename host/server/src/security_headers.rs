//! Headers in every response, media or not, that restrict what browsers and caches do with it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

/// Untrusted media is displayed and can do nothing else: it runs no scripts, loads nothing, and has an opaque origin, so it cannot access
/// anything else on this host (CSP 3, `sandbox`). SVG images may contain styles.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// The same for audio and video that are opened directly. The browser's player loads them a second time, which is allowed only if the
/// document has the origin of this host. No scripts run there either.
pub(crate) const PLAYER_CONTENT_SECURITY_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox allow-same-origin");

/// Which sites may embed a response (the Fetch standard, section 3.8).
pub(crate) const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Adds the headers to a response.
pub(crate) async fn add(mut response: Response) -> Response {
    add_to(response.headers_mut());
    response
}

/// Adds the headers that the response does not have yet. Other sites may embed only media, whose response already has the header for
/// that. A response may have its own `Content-Security-Policy`. Media already has a `Cache-Control`; nothing else may be cached.
pub(crate) fn add_to(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(CONTENT_SECURITY_POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // Our URLs contain third-party URLs, and possibly a signature.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CROSS_ORIGIN_RESOURCE_POLICY).or_insert(HeaderValue::from_static("same-origin"));
}
