//! What every answer carries, media, JSON and problems alike: what a browser may do with it.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// What a stranger put behind a URL is shown, and does nothing: it runs no script, loads nothing, and is of an origin of its own, so
/// that it cannot reach what else is on this host (CSP 3, `sandbox`). Pictures in SVG may have their own styles.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// Who may embed an answer (the Fetch standard, section 3.8).
pub(super) const EMBEDDABLE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Adds the headers. Only media may be embedded in the pages of others, which has been said by then.
pub(super) async fn add(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    // A URL of ours has a URL of somebody else's in it, and perhaps a signature.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(EMBEDDABLE).or_insert(HeaderValue::from_static("same-origin"));
    response
}
