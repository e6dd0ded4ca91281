//! A cache between being configured and being open.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use media_cache_key_rules::KeyRules;
use tokio::sync::{mpsc, oneshot};

use crate::cache::{CacheError, MediaCache, Shared};
use crate::directory_lock::DirectoryLock;
use crate::driver::Driver;
use crate::hit_buffer::HitBuffer;
use crate::inbox::Inbox;
use crate::open_error::OpenError;
use crate::policy::swap::Swapper;
use crate::request::Request;
use crate::resident_index::ResidentIndex;

/// A cache that has its directory, and has loaded nothing yet. Nobody else can have the directory until this is dropped.
pub struct PreparedCache {
    pub(crate) directory: PathBuf,
    pub(crate) lock: DirectoryLock,
    pub(crate) driver: Driver,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) inbox: Inbox,
    pub(crate) key_rules: KeyRules,
    pub(crate) residents: Option<ResidentIndex>,
    pub(crate) hits: Arc<HitBuffer>,
    pub(crate) swapper: Arc<Swapper>,
}

impl PreparedCache {
    /// Starts the component and loads the directory.
    ///
    /// # Errors
    /// [`OpenError::Start`], [`OpenError::Thread`] and [`OpenError::Load`].
    pub async fn open(self) -> Result<MediaCache, OpenError> {
        let directory = self.directory.clone();
        let cache = self.start().await?;
        let loaded = tokio::select! {
            loaded = cache.0.loaded.first() => loaded,
            () = cache.0.requests.closed() => Err(CacheError::BrokeDown.to_string()),
        };
        if let Err(why) = loaded {
            // The directory is free again afterwards.
            let _ = cache.close().await;
            return Err(OpenError::Load { directory, why });
        }
        Ok(cache)
    }

    /// Starts the component, which then loads the directory while it serves requests: see `ensure-loaded` in `wit/cache/cache.wit`.
    /// [`MediaCache::loaded`] waits for the end of that. If the directory cannot be loaded, that is tried again.
    ///
    /// # Errors
    /// [`OpenError::Start`] and [`OpenError::Thread`].
    pub async fn start(self) -> Result<MediaCache, OpenError> {
        let Self { directory, lock, driver, requests, inbox, key_rules, residents, hits, swapper } = self;
        let (engine, loaded) = (driver.engine.clone(), driver.loaded.clone());
        let (ready, started) = oneshot::channel();
        let thread = start_thread(driver, inbox, ready, lock)?;
        let started = match started.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(OpenError::Start(error)),
            Err(_) => Err(OpenError::Start(wasmtime::Error::msg("its thread broke off"))),
        };
        if let Err(error) = started {
            // With the last sender the thread ends, and with the thread the directory is free again.
            drop(requests);
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            return Err(error);
        }
        tokio::spawn(hits.clone().keep_flushing());
        let thread = Mutex::new(Some(thread));
        Ok(MediaCache(Arc::new(Shared { requests, key_rules, residents, hits, directory, loaded, engine, swapper, thread })))
    }
}

/// Runs the driver on a thread of its own, which holds the lock to its end.
fn start_thread(
    driver: Driver,
    inbox: Inbox,
    ready: oneshot::Sender<wasmtime::Result<()>>,
    lock: DirectoryLock,
) -> Result<std::thread::JoinHandle<()>, OpenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::Thread)?;
    let run = move || {
        runtime.block_on(driver.run(inbox, ready));
        drop(lock);
    };
    std::thread::Builder::new().name("media-cache".into()).spawn(run).map_err(OpenError::Thread)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::media::Source;
    use media_cache_interfaces::{FetchError, FetchedMedia};
    use std::sync::atomic::{AtomicU64, Ordering};

    async fn echo(url: String) -> Result<FetchedMedia, FetchError> {
        Ok(FetchedMedia::new(url, "text/plain", "echo.txt"))
    }

    /// Makes every instance up to the `instances`-th trap as soon as it holds more than so many things.
    fn break_down(driver: &mut Driver, instances: u64, things: usize) {
        let make_state = std::mem::replace(&mut driver.make_state, Box::new(|| Err(wasmtime::Error::msg("not set"))));
        let made = AtomicU64::new(0);
        driver.make_state = Box::new(move || {
            let mut state = make_state()?;
            if made.fetch_add(1, Ordering::Relaxed) < instances {
                state.table.set_max_capacity(things);
            }
            Ok(state)
        });
    }

    async fn open(directory: &Path, instances: u64) -> MediaCache {
        let mut prepared = MediaCache::builder().directory(directory).downloader(echo).prepare().unwrap();
        break_down(&mut prepared.driver, instances, 8);
        prepared.open().await.unwrap()
    }

    #[tokio::test]
    async fn a_component_that_broke_down_is_started_again_and_nobody_notices() {
        let directory = tempfile::tempdir().unwrap();
        let cache = open(directory.path(), 1).await;
        for name in ["x:a", "x:b", "x:c", "x:d", "x:e", "x:f"] {
            let media = cache.get_or_download(name).await.unwrap();
            assert_eq!(media.body.bytes().await.unwrap(), name);
        }
        let status = cache.status().await.unwrap();
        assert_eq!((status.restarts, status.cache.entries), (1, 6), "what was stored was found again");
        assert_eq!(cache.get("x:a").await.unwrap().map(|media| media.source), Some(Source::Disk));
        cache.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_component_that_never_comes_up_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let open = || MediaCache::builder().directory(directory.path()).downloader(echo);
        let mut prepared = open().prepare().unwrap();
        break_down(&mut prepared.driver, u64::MAX, 1);
        let error = prepared.open().await.map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Load { .. }), "{error}");
        open().open().await.unwrap();
    }

    #[tokio::test]
    async fn a_request_that_breaks_every_instance_ends_in_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let cache = open(directory.path(), u64::MAX).await;
        let mut answers = Vec::new();
        for name in ["x:a", "x:b", "x:c", "x:d", "x:e", "x:f"] {
            answers.push(cache.put(name, "bytes", "text/plain", "a.txt").await);
        }
        let broke_down = |answer: &Result<_, CacheError>| matches!(answer, Err(CacheError::BrokeDown));
        assert!(answers.iter().any(broke_down), "{answers:?}");
        assert!(cache.status().await.unwrap().restarts > 0, "and it goes on");
    }
}
