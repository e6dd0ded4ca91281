//! The `Cache-Control` of media (RFC 9111, section 5.2): who may keep it, and for how long.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use media_cache::Cacheability;

/// For how long a client may keep media, in seconds. The media of a URL is fetched once, and so changes only after an eviction.
const MAX_AGE: u64 = 86_400;

const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=86400");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=86400");

/// For media that nobody may keep, and for media that was sent because of a token instead of a signature, which a shared cache would
/// give to every client.
const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Why media may be kept less than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    /// The signature of the request expires after this many seconds.
    Expires(u64),
    /// The request had a token and needed no signature, which others do.
    Administration,
}

/// The `Cache-Control` of media.
pub(crate) fn of(cacheability: Cacheability) -> HeaderValue {
    match cacheability {
        Cacheability::Public => PUBLIC,
        Cacheability::Private => PRIVATE,
        Cacheability::NoStore => NO_STORE,
    }
}

/// Whether a request is for stored media only (RFC 9111, section 5.2.1.7).
pub(crate) fn only_if_cached(request: &HeaderMap) -> bool {
    let values = request.get_all(header::CACHE_CONTROL).into_iter();
    let mut directives = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    directives.any(|directive| directive.eq_ignore_ascii_case(b"only-if-cached"))
}

/// Restricts the `Cache-Control` of media, and leaves other responses alone.
pub(crate) fn restrict(mut response: Response, restriction: Option<Restriction>) -> Response {
    let current = response.headers().get(header::CACHE_CONTROL);
    let restricted = restriction.and_then(|restriction| restricted(current?, restriction));
    if let Some(restricted) = restricted {
        response.headers_mut().insert(header::CACHE_CONTROL, restricted);
    }
    response
}

/// A stricter `Cache-Control` than that of a response, if that is one of media and not strict enough.
fn restricted(current: &HeaderValue, restriction: Restriction) -> Option<HeaderValue> {
    let visibility = [(PUBLIC, "public"), (PRIVATE, "private")].into_iter().find(|(value, _)| value == current)?.1;
    match restriction {
        Restriction::Administration => Some(NO_STORE),
        Restriction::Expires(seconds) if seconds < MAX_AGE => {
            HeaderValue::from_str(&format!("{visibility}, max-age={seconds}")).ok()
        }
        Restriction::Expires(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn caching(current: HeaderValue, restriction: Option<Restriction>) -> String {
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert(header::CACHE_CONTROL, current);
        restrict(response, restriction).headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned()
    }

    #[test]
    fn media_is_kept_no_longer_than_its_signature_is_valid() {
        let [public, private, never] = [Cacheability::Public, Cacheability::Private, Cacheability::NoStore].map(of);
        for (current, restriction, expected) in [
            (&public, None, "public, max-age=86400"),
            (&public, Some(Restriction::Expires(86_400)), "public, max-age=86400"),
            (&public, Some(Restriction::Expires(60)), "public, max-age=60"),
            (&private, Some(Restriction::Expires(60)), "private, max-age=60"),
            (&public, Some(Restriction::Administration), "private, no-store"),
            (&private, Some(Restriction::Administration), "private, no-store"),
            (&never, Some(Restriction::Expires(60)), "private, no-store"),
            (&HeaderValue::from_static("no-store"), Some(Restriction::Expires(60)), "no-store"),
        ] {
            assert_eq!(caching(current.clone(), restriction), expected, "{current:?} {restriction:?}");
        }
    }
}
