//! A cache that tests control: the real components in a temporary directory, a scripted origin and transcoder, and a manual clock.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use media_cache::{Builder, Engine, LockError, MediaCache, OpenError};
use tempfile::TempDir;

use crate::cache_requests::fill;
use crate::manual_clock::ManualClock;
use crate::scripted_origin::ScriptedOrigin;
use crate::scripted_transcoder::ScriptedTranscoder;
use crate::soon::soon;

/// The disk usage of an entry with up to one block of media: a block for each of its two files.
pub const SMALL: u64 = 8192;

/// The engine that all tests of a process share, so that the components are compiled only once.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

/// A directory for a cache, and everything else that the cache needs.
pub struct CacheRig {
    root: TempDir,
    /// Serves the downloads.
    pub origin: Arc<ScriptedOrigin>,
    /// Converts the GIFs.
    pub transcoder: Arc<ScriptedTranscoder>,
    /// The clock of the cache.
    pub clock: Arc<ManualClock>,
}

impl CacheRig {
    /// A rig in its own temporary directory.
    #[must_use]
    pub fn create() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root, origin: Arc::default(), transcoder: Arc::default(), clock: Arc::default() }
    }

    /// A rig with the directory of a cache that was closed with these entries, which were stored one second apart in this order.
    pub async fn after_a_run(urls: &[&str]) -> Self {
        let rig = Self::create();
        let cache = rig.open().await;
        for url in urls {
            fill(&cache, &[url]).await;
            rig.clock.advance(Duration::from_secs(1));
        }
        cache.close().await.unwrap();
        rig
    }

    /// The directory of the cache.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.root().join("cache")
    }

    /// The temporary directory that contains the directory of the cache.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// A builder with everything set except limits.
    #[must_use]
    pub fn builder(&self) -> Builder {
        MediaCache::builder()
            .directory(self.directory())
            .shared_downloader(self.origin.clone())
            .shared_transcoder(self.transcoder.clone())
            .clock(self.clock.clone())
            .engine(ENGINE.clone())
    }

    /// Opens a cache with the default limits.
    pub async fn open(&self) -> MediaCache {
        self.open_with(|builder| builder).await
    }

    /// Opens a cache with some settings.
    pub async fn open_with(&self, set: impl FnOnce(Builder) -> Builder) -> MediaCache {
        set(self.builder()).open().await.unwrap()
    }

    /// Starts a cache with some settings. Does not wait until it has loaded the directory.
    pub async fn start_with(&self, set: impl FnOnce(Builder) -> Builder) -> MediaCache {
        set(self.builder()).prepare().unwrap().start().await.unwrap()
    }

    /// Opens the directory as soon as another cache has released it. No event signals that.
    pub async fn open_when_free(&self) -> MediaCache {
        let open = async {
            loop {
                match self.builder().open().await {
                    Err(OpenError::Lock(LockError::InUse { .. })) => tokio::task::yield_now().await,
                    opened => return opened.unwrap(),
                }
            }
        };
        soon(open).await
    }
}

/// The part of the budget that [`entry_budget`] reserves for everything except entries, in bytes.
const RESERVED: u64 = 1 << 20;

/// Sets the budget for the entries, in bytes.
#[must_use]
pub fn entry_budget(builder: Builder, entry_bytes: u64) -> Builder {
    builder.max_disk_bytes(bytes(entry_bytes + RESERVED)).reserved_disk_bytes(RESERVED)
}

/// A non-zero number of bytes.
#[must_use]
pub fn bytes(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}
