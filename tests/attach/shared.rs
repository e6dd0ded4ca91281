//! Caches that share a directory.

use std::io;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use media_cache::{Builder, Downloader, Engine, FetchError, FetchedMedia, Media, MediaCache, NoTranscoder, PolicySpec};
use media_cache_attach::{AttachError, DirectoryOptions, SharedCache};
use tokio::sync::Notify;

/// A size above which bodies are passed as files, in bytes.
pub const LARGE: usize = 200_000;

/// Opens a directory or attaches to its owner.
pub async fn open(directory: &Path) -> SharedCache {
    open_with(directory, DirectoryOptions::default()).await.unwrap()
}

pub async fn open_with(directory: &Path, options: DirectoryOptions) -> Result<SharedCache, AttachError> {
    SharedCache::open_or_attach(directory, options, configure).await
}

/// The cache's own downloader returns the URL as text.
pub fn configure(options: &DirectoryOptions) -> Result<Builder, io::Error> {
    let megabytes = options.get("max-size-mb").unwrap_or("50").parse::<NonZeroU64>().map_err(io::Error::other)?;
    let budget = megabytes.saturating_mul(NonZeroU64::new(1 << 20).unwrap());
    let echo = |url: String| async move { Ok::<_, FetchError>(FetchedMedia::new(url, "text/plain", "echo.txt")) };
    // Otherwise, each process would compile the components.
    let engine = Engine::keeping_compiled(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")).map_err(io::Error::other)?;
    let policy: PolicySpec = options.get("policy").unwrap_or("lru").parse().map_err(io::Error::other)?;
    let policy = policy.compile(engine.policies()).map_err(io::Error::other)?;
    Ok(MediaCache::builder().engine(engine).policy(policy).max_disk_bytes(budget).downloader(echo).transcoder(NoTranscoder))
}

/// A downloader that notifies of each download, and ends it with the text once it is released.
pub fn held(text: &'static str) -> (impl Downloader, Arc<Notify>, Arc<Notify>) {
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let notify = (started.clone(), release.clone());
    let downloader = move |_: String| {
        let (started, release) = notify.clone();
        async move {
            started.notify_one();
            release.notified().await;
            Ok(media(text))
        }
    };
    (downloader, started, release)
}

/// Media of this text.
pub fn media(text: impl Into<String>) -> FetchedMedia {
    FetchedMedia::new(text.into(), "text/plain", "a.txt")
}

/// The text of media.
pub async fn text(media: &Media) -> String {
    String::from_utf8(media.body.bytes().await.unwrap().to_vec()).unwrap()
}
