//! Requests to a cache of the library.

use media_cache::{CacheError, FetchError, Media, MediaCache};

/// Requests each URL, which is downloaded unless it is stored.
pub async fn fill(cache: &MediaCache, urls: &[&str]) {
    for url in urls {
        cache.get_or_download(url).await.unwrap();
    }
}

/// The bytes of a response.
pub async fn body(media: &Media) -> Vec<u8> {
    media.body.bytes().await.unwrap().to_vec()
}

/// Requests a URL whose download must fail, and returns the error.
pub async fn failure(cache: &MediaCache, url: &str) -> FetchError {
    match cache.get_or_download(url).await {
        Err(CacheError::Fetch(error)) => error,
        other => panic!("the download of {url} did not fail: {other:?}"),
    }
}
