//! A program that embeds a cache and supplies its own downloader, which makes up the media.
//!
//! ```sh
//! cargo run -p media-cache --example embed
//! ```

use std::num::NonZeroU64;

use media_cache::{FetchError, FetchedMedia, MediaCache};

/// Answers `demo:NAME` with a greeting. A downloader can be any type that implements `Downloader`, including an async function.
async fn greet(url: String) -> Result<FetchedMedia, FetchError> {
    println!("  (downloading {url})");
    let name = url.strip_prefix("demo:").ok_or_else(|| FetchError::Refused("this downloader supports only demo: URLs".into()))?;
    Ok(FetchedMedia::new(format!("Hello, {name}!"), "text/plain", "greeting.txt"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let budget = NonZeroU64::new(10 << 20).unwrap_or(NonZeroU64::MAX);
    let open = || MediaCache::builder().directory(directory.path()).max_disk_bytes(budget).downloader(greet).open();

    let cache = open().await?;
    for url in ["demo:world", "demo:world", "demo:moon"] {
        let media = cache.get_or_download(url).await?;
        let text = String::from_utf8_lossy(&media.body.bytes().await?).into_owned();
        println!("{url}: {text:?}, a {} from {:?}", media.mimetype(), media.source);
    }
    cache.put("demo:mars", "Stored by hand.", "text/plain", "mars.txt").await?;
    if let Err(error) = cache.get_or_download("https://example.com/").await {
        println!("https://example.com/: {error}");
    }
    let stats = cache.status().await?.cache;
    println!("{} entries, {} hits, {} misses, {} bytes on disk", stats.entries, stats.hits, stats.misses, stats.disk_bytes);
    cache.close().await?;

    let cache = open().await?;
    let found = cache.get("demo:mars").await?.map(|media| media.source);
    println!("after a restart, with {} entries: {found:?}", cache.loaded().await?.entries);
    cache.close().await?;
    Ok(())
}
