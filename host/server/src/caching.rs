//! The `Cache-Control` and `Age` of media (RFC 9111, section 5): who may cache it, and for how long.
//!
//! Clients may cache media for a day, or for as long as its origin allows if that is less. Entries never expire here. A client that
//! requests media again gets the same media, even if downstream caches consider it stale by then, and can revalidate it with its `ETag`.

use std::time::SystemTime;

use axum::http::header::{AGE, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderValue};
use media_cache::{CacheControl, Cacheability};

/// How long a client may cache media, in seconds. The media of a URL is fetched once, so it changes only after an eviction or a refresh.
const MAX_AGE: u64 = 86_400;

const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=86400");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=86400");

/// For media that must be revalidated on each use, according to its origin.
const PUBLIC_NO_CACHE: HeaderValue = HeaderValue::from_static("public, no-cache");
const PRIVATE_NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// For media that must not be cached, and for media that was sent because the request had a token instead of a signature. A shared cache
/// would serve the latter to every client.
const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");

/// Why the time for which clients may cache media is restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restriction {
    /// The signature of the request expires after this many seconds.
    Expires(u64),
    /// The request had a token, so it did not need a signature as other requests do.
    Administration,
}

impl Restriction {
    /// Whether the restriction can have an effect. A long lifetime has none, because media is never cached for more than a day.
    pub fn may_matter(self) -> bool {
        !matches!(self, Self::Expires(MAX_AGE..))
    }
}

/// Adds the headers for media that was stored at `stored_at`. `Age` is added if the origin limits the lifetime, and counts from the time
/// at which the origin generated the media.
pub(crate) fn describe(headers: &mut HeaderMap, cache_control: CacheControl, stored_at: SystemTime, now: SystemTime) {
    let value = match (cache_control.cacheability, cache_control.max_age) {
        (Cacheability::NoStore, _) => NO_STORE,
        (Cacheability::Public, None) => PUBLIC,
        (Cacheability::Private, None) => PRIVATE,
        (Cacheability::Public, Some(0)) => PUBLIC_NO_CACHE,
        (Cacheability::Private, Some(0)) => PRIVATE_NO_CACHE,
        (cacheability, Some(max_age)) => {
            let age = age(cache_control, stored_at, now);
            headers.insert(AGE, age.into());
            // A lifetime that ends a day from now. It includes the age.
            let max_age = u64::from(max_age).min(age.saturating_add(MAX_AGE));
            with_max_age(if cacheability == Cacheability::Public { "public" } else { "private" }, max_age)
        }
    };
    headers.insert(CACHE_CONTROL, value);
}

/// The value of the `Age` header of media, which changes over time. `None` if the media has no such header.
pub(crate) fn changing_age(cache_control: CacheControl, stored_at: SystemTime, now: SystemTime) -> Option<u64> {
    let CacheControl { cacheability, max_age, .. } = cache_control;
    let is_said = cacheability != Cacheability::NoStore && max_age.is_some_and(|max_age| max_age > 0);
    is_said.then(|| age(cache_control, stored_at, now))
}

/// The age of media since its origin generated it, in seconds.
fn age(cache_control: CacheControl, stored_at: SystemTime, now: SystemTime) -> u64 {
    let since_stored = now.duration_since(stored_at).unwrap_or_default();
    u64::from(cache_control.age).saturating_add(since_stored.as_secs())
}

fn with_max_age(visibility: &str, max_age: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("{visibility}, max-age={max_age}")).unwrap_or(NO_STORE)
}

/// Whether a request accepts only stored media (RFC 9111, section 5.2.1.7).
pub(crate) fn only_if_cached(request: &HeaderMap) -> bool {
    let values = request.get_all(CACHE_CONTROL).into_iter();
    let mut directives = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    directives.any(|directive| directive.eq_ignore_ascii_case(b"only-if-cached"))
}

/// Restricts the `Cache-Control` of media, and leaves other responses unchanged.
pub(crate) fn restrict(headers: &mut HeaderMap, restriction: Option<Restriction>) {
    if let Some(restricted) = restriction.and_then(|restriction| restricted(headers, restriction)) {
        headers.insert(CACHE_CONTROL, restricted);
    }
}

/// A stricter `Cache-Control` for a response with media, if its current one is not strict enough.
fn restricted(headers: &HeaderMap, restriction: Restriction) -> Option<HeaderValue> {
    let current = headers.get(CACHE_CONTROL)?.to_str().ok()?;
    let (visibility, lifetime) = current.split_once(", ").filter(|(visibility, _)| ["public", "private"].contains(visibility))?;
    match restriction {
        Restriction::Administration => Some(NO_STORE),
        Restriction::Expires(seconds) => {
            let max_age: u64 = lifetime.strip_prefix("max-age=")?.parse().ok()?;
            let age: u64 = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
            let allowed = age.saturating_add(seconds);
            (allowed < max_age).then(|| with_max_age(visibility, allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    use Cacheability::{NoStore, Private, Public};

    /// The headers of media that was stored `seconds` seconds ago.
    fn media(cacheability: Cacheability, max_age: Option<u32>, age: u32, seconds: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let cache_control = CacheControl { cacheability, max_age, age };
        let now = SystemTime::now();
        describe(&mut headers, cache_control, now - Duration::from_millis(seconds * 1000 + 200), now);
        headers
    }

    fn texts(headers: &HeaderMap) -> (&str, Option<&str>) {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap());
        (text(CACHE_CONTROL).unwrap(), text(AGE))
    }

    #[test]
    fn media_has_a_lifetime_of_a_day_unless_its_origin_sets_a_shorter_one() {
        for (cacheability, max_age, age, seconds, expected) in [
            (Public, None, 0, 1000, ("public, max-age=86400", None)),
            (Public, None, 7, 1000, ("public, max-age=86400", None)),
            (Private, None, 0, 1000, ("private, max-age=86400", None)),
            (Public, Some(60), 0, 0, ("public, max-age=60", Some("0"))),
            (Public, Some(60), 5, 30, ("public, max-age=60", Some("35"))),
            (Private, Some(60), 0, 1000, ("private, max-age=60", Some("1000"))),
            (Public, Some(90_000), 0, 0, ("public, max-age=86400", Some("0"))),
            (Public, Some(90_000), 600, 1000, ("public, max-age=88000", Some("1600"))),
            (Public, Some(90_000), 0, 80_000, ("public, max-age=90000", Some("80000"))),
            (Public, Some(u32::MAX), 0, 1_000_000, ("public, max-age=1086400", Some("1000000"))),
            (Public, Some(0), 5, 30, ("public, no-cache", None)),
            (Private, Some(0), 0, 0, ("private, no-cache", None)),
            (NoStore, Some(60), 5, 30, ("private, no-store", None)),
            (NoStore, None, 0, 0, ("private, no-store", None)),
        ] {
            let headers = media(cacheability, max_age, age, seconds);
            assert_eq!(texts(&headers), expected, "{cacheability:?} {max_age:?} {age} {seconds}");
        }
    }

    #[test]
    fn media_stored_in_the_future_has_the_age_sent_by_its_origin() {
        let mut headers = HeaderMap::new();
        let cache_control = CacheControl { cacheability: Public, max_age: Some(60), age: 5 };
        let now = SystemTime::now();
        describe(&mut headers, cache_control, now + Duration::from_secs(1000), now);
        assert_eq!(headers[AGE], "5");
    }

    #[test]
    fn media_lifetime_ends_when_the_signature_expires() {
        let [public, private, never] = [Public, Private, NoStore].map(|cacheability| (cacheability, None, 0));
        for ((cacheability, max_age, seconds), restriction, expected) in [
            (public, None, "public, max-age=86400"),
            (public, Some(Restriction::Expires(86_400)), "public, max-age=86400"),
            (public, Some(Restriction::Expires(60)), "public, max-age=60"),
            (private, Some(Restriction::Expires(60)), "private, max-age=60"),
            (public, Some(Restriction::Administration), "private, no-store"),
            (private, Some(Restriction::Administration), "private, no-store"),
            (never, Some(Restriction::Expires(60)), "private, no-store"),
            ((Public, Some(0), 0), Some(Restriction::Expires(60)), "public, no-cache"),
            ((Public, Some(0), 0), Some(Restriction::Administration), "private, no-store"),
            ((Public, Some(500), 100), Some(Restriction::Expires(60)), "public, max-age=160"),
            ((Public, Some(500), 100), Some(Restriction::Expires(600)), "public, max-age=500"),
            ((Private, Some(500), 100), Some(Restriction::Administration), "private, no-store"),
        ] {
            let mut headers = media(cacheability, max_age, 0, seconds);
            restrict(&mut headers, restriction);
            assert_eq!(texts(&headers).0, expected, "{cacheability:?} {max_age:?} {restriction:?}");
        }
    }

    #[test]
    fn responses_without_media_keep_their_cache_control() {
        for restriction in [Restriction::Expires(60), Restriction::Administration] {
            let mut headers = HeaderMap::new();
            restrict(&mut headers, Some(restriction));
            assert!(headers.is_empty());
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            restrict(&mut headers, Some(restriction));
            assert_eq!(texts(&headers).0, "no-store");
        }
    }
}
