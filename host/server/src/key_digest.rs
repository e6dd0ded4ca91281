//! Checks the digest of the cache key in a path.
//!
//! Load balancers choose a node by it. If a wrong digest were accepted, several nodes would store the same media.

use axum::http::StatusCode;
use media_cache::MediaCache;
use media_cache_entry_files::KeyDigest;

use crate::problem::Problem;

/// Refuses a digest that is not that of the cache key of `url`. The problem contains the expected digest.
pub(crate) fn check(cache: &MediaCache, url: &str, given: Option<[u8; 32]>) -> Result<(), Problem> {
    let Some(given) = given else { return Ok(()) };
    let expected = KeyDigest::of(&cache.key(url));
    if given == *expected.as_bytes() {
        return Ok(());
    }
    let why = format!("the digest in the path is not that of the cache key of this URL, which is {expected}");
    let problem = Problem::new(StatusCode::BAD_REQUEST, "wrong-digest", why);
    Err(problem.with_members([("digest", expected.to_string().into())]))
}
