//! An origin inside this process, whose hosts take different times.

use std::time::Duration;

use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, FetchedMedia};

/// Serves media of a size and a type that follow from the URL. The host `slow.example` takes 40 milliseconds, and `broken.example` fails.
pub struct Origin;

/// The media of a URL whose path ends in a number.
fn media(url: &str) -> FetchedMedia {
    let number: usize = url.rsplit('/').next().and_then(|name| name.split('.').next()?.parse().ok()).unwrap_or(0);
    let mimetype = match url.rsplit('.').next() {
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("mp4") => "video/mp4",
        _ => "image/jpeg",
    };
    let size = if mimetype == "video/mp4" { 400_000 } else { 3000 * (1 + number % 9) };
    FetchedMedia::new(vec![7; size], mimetype, "media")
}

impl Downloader for Origin {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(async move {
            if url.starts_with("https://broken.example/") {
                return Err(FetchError::TimedOut("the origin did not answer".into()));
            }
            if url.starts_with("https://slow.example/") {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            Ok(media(url))
        })
    }
}
