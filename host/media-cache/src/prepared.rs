//! A cache that has been configured but not opened yet.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media_cache_interfaces::Spool;
use media_cache_key_rules::KeyRules;
use tokio::sync::{mpsc, oneshot};

use crate::cache::{CacheError, MediaCache, Shared};
use crate::copies::Copies;
use crate::driver::Driver;
use crate::health::HealthHistory;
use crate::hit_buffer::HitBuffer;
use crate::inbox::Inbox;
use crate::integrity::Integrity;
use crate::integrity_check;
use crate::lookup_spans::LookupSpans;
use crate::open_error::OpenError;
use crate::pass_through::PassThrough;
use crate::policy::swap::Swapper;
use crate::request::Request;
use crate::resident_index::ResidentIndex;
use crate::supervision;
use crate::watchdog::Heartbeat;

/// How long closing may take after the directory could not be loaded.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// A cache that has locked its directory but has not loaded anything yet. Dropping it releases the lock.
pub struct PreparedCache {
    pub(crate) directory: PathBuf,
    pub(crate) driver: Driver,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) inbox: Inbox,
    pub(crate) key_rules: KeyRules,
    pub(crate) residents: Option<Arc<ResidentIndex>>,
    pub(crate) hits: Arc<HitBuffer>,
    pub(crate) swapper: Arc<Swapper>,
    pub(crate) pass_through: PassThrough,
    pub(crate) max_silence: Duration,
    pub(crate) spool: Arc<Spool>,
    /// In bytes per second.
    pub(crate) integrity_check_rate: Option<NonZeroU64>,
    pub(crate) copies: Option<Arc<dyn Copies>>,
    pub(crate) lookup_spans: Arc<LookupSpans>,
}

impl PreparedCache {
    /// Starts the component and waits until the directory is loaded.
    ///
    /// # Errors
    /// [`OpenError::Start`], [`OpenError::Thread`] and [`OpenError::Load`].
    pub async fn open(self) -> Result<MediaCache, OpenError> {
        let directory = self.directory.clone();
        let cache = self.start().await?;
        let loaded = tokio::select! {
            loaded = cache.0.loaded.first() => loaded,
            outage = cache.0.availability.next_outage() => Err(outage.reason),
            () = cache.0.requests.closed() => Err(CacheError::BrokeDown.to_string()),
        };
        if let Err(why) = loaded {
            // This releases the directory, unless the thread hangs.
            let _ = cache.close_within(CLOSE_LIMIT).await;
            return Err(OpenError::Load { directory, why });
        }
        Ok(cache)
    }

    /// Starts the component, which then loads the directory while it serves requests: see `ensure-loaded` in `wit/cache/cache.wit`.
    /// [`MediaCache::loaded`] waits until the directory has been loaded. If it cannot be loaded, the cache retries.
    ///
    /// # Errors
    /// [`OpenError::Start`] and [`OpenError::Thread`].
    pub async fn start(self) -> Result<MediaCache, OpenError> {
        let Self { directory, driver, requests, inbox, key_rules, residents, hits, swapper, pass_through, spool, .. } = self;
        let (max_silence, integrity_check_rate, copies) = (self.max_silence, self.integrity_check_rate, self.copies);
        let lookup_spans = self.lookup_spans;
        let (engine, loaded, availability) = (driver.engine.clone(), driver.loaded.clone(), driver.availability.clone());
        let (slices, components) = (driver.slices.clone(), driver.serving.components.clone());
        let watch = Arc::downgrade(&driver.serving.directory);
        let (ready, started) = oneshot::channel();
        let heartbeat = Arc::new(Heartbeat::new(driver.operations.clone()));
        let thread = start_thread(driver, inbox, ready, heartbeat.clone())?;
        let started = match started.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(OpenError::Start(error)),
            Err(_) => Err(OpenError::Start(wasmtime::Error::msg("its thread panicked"))),
        };
        if let Err(error) = started {
            // Dropping the last sender ends the thread, which releases the directory.
            drop(requests);
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            return Err(error);
        }
        let cache = MediaCache(Arc::new(Shared {
            requests,
            key_rules,
            residents,
            hits,
            directory,
            watch,
            spool,
            loaded,
            engine,
            swapper,
            components,
            thread: Mutex::new(Some(thread)),
            availability,
            slices,
            pass_through,
            history: HealthHistory::default(),
            integrity: Integrity::default(),
            latest_status: Mutex::default(),
            changed_files: AtomicU64::new(0),
            copies,
            lookup_spans,
            dropping: tokio::sync::Mutex::default(),
        }));
        supervision::start(&cache, heartbeat, max_silence);
        if let Some(rate) = integrity_check_rate {
            integrity_check::start(&cache, rate);
        }
        Ok(cache)
    }
}

/// Runs the driver on a separate thread, which holds the lock on the directory until it ends.
fn start_thread(
    driver: Driver,
    inbox: Inbox,
    ready: oneshot::Sender<wasmtime::Result<()>>,
    heartbeat: Arc<Heartbeat>,
) -> Result<std::thread::JoinHandle<()>, OpenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::Thread)?;
    let run = move || {
        runtime.block_on(async move {
            tokio::spawn(driver.serving.directory.clone().keep_watching(heartbeat));
            driver.run(inbox, ready).await;
        });
    };
    std::thread::Builder::new().name("media-cache".into()).spawn(run).map_err(OpenError::Thread)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::component::cache_component::CacheComponent;
    use crate::component::origin::ComponentOrigin;
    use crate::component::record::ComponentStatus;
    use crate::component::swap_error::ComponentSwapError;
    use crate::media::{Health, Source};
    use media_cache_components as embedded;
    use media_cache_interfaces::{FetchError, FetchedMedia};
    use std::sync::atomic::{AtomicBool, Ordering};

    async fn echo(url: String) -> Result<FetchedMedia, FetchError> {
        Ok(FetchedMedia::new(url, "text/plain", "echo.txt"))
    }

    /// Makes each of the first `instances` instances trap as soon as it holds more than this number of resources.
    fn break_down(driver: &mut Driver, instances: u64, resources: usize) {
        let make_state = std::mem::replace(&mut driver.make_state, Box::new(|| Err(wasmtime::Error::msg("not set"))));
        let made = AtomicU64::new(0);
        driver.make_state = Box::new(move || {
            let mut state = make_state()?;
            if made.fetch_add(1, Ordering::Relaxed) < instances {
                state.table.set_max_capacity(resources);
            }
            Ok(state)
        });
    }

    async fn open(directory: &Path, instances: u64) -> MediaCache {
        let mut prepared = MediaCache::builder().directory(directory).downloader(echo).prepare().unwrap();
        break_down(&mut prepared.driver, instances, 12);
        prepared.open().await.unwrap()
    }

    #[tokio::test]
    async fn component_that_traps_is_restarted_without_a_failed_request() {
        let directory = tempfile::tempdir().unwrap();
        let cache = open(directory.path(), 1).await;
        for name in ["x:a", "x:b", "x:c", "x:d", "x:e", "x:f"] {
            let media = cache.get_or_download(name).await.unwrap();
            assert_eq!(media.body.bytes().await.unwrap(), name);
        }
        let status = cache.status().await.unwrap();
        assert_eq!((status.restarts, status.cache.entries), (1, 6), "stored entries are found again");
        assert!(cache.get("x:a").await.unwrap().is_some_and(|media| media.source != Source::Origin));
        cache.close().await.unwrap();
    }

    #[tokio::test]
    async fn open_fails_if_the_component_never_starts() {
        let directory = tempfile::tempdir().unwrap();
        let open = || MediaCache::builder().directory(directory.path()).downloader(echo);
        let mut prepared = open().prepare().unwrap();
        break_down(&mut prepared.driver, u64::MAX, 1);
        let error = prepared.open().await.map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::Load { .. }), "{error}");
        open().open().await.unwrap();
    }

    #[tokio::test]
    async fn component_that_traps_repeatedly_is_retried_while_media_is_passed_through() {
        let directory = tempfile::tempdir().unwrap();
        let mut prepared = MediaCache::builder().directory(directory.path()).downloader(echo).prepare().unwrap();
        let make_state = std::mem::replace(&mut prepared.driver.make_state, Box::new(|| Err(wasmtime::Error::msg("not set"))));
        let made = AtomicU64::new(0);
        prepared.driver.make_state = Box::new(move || {
            let mut state = make_state()?;
            match made.fetch_add(1, Ordering::Relaxed) {
                0 => state.table.set_max_capacity(8),
                1..=3 => state.table.set_max_capacity(1),
                _ => {}
            }
            Ok(state)
        });
        let cache = prepared.open().await.unwrap();
        let mut number = 0;
        while cache.passed_through() == 0 {
            let name = format!("x:{number}");
            assert_eq!(cache.get_or_download(&name).await.unwrap().body.bytes().await.unwrap(), name);
            number += 1;
        }
        let outage = cache.0.availability.next_outage().await;
        assert!(outage.reason.contains("the cache component failed to start"), "{outage}");
        let put = cache.put("x:put", "bytes", "text/plain", "a.txt").await;
        assert!(matches!(put, Err(CacheError::Unavailable(_))), "{put:?}");
        let recovered = async { cache.watch_health().wait_for(|health| matches!(health, Health::Storing)).await.map(|_| ()) };
        let degraded = async { cache.watch_health().wait_for(|health| matches!(health, Health::Degraded(_))).await.map(|_| ()) };
        degraded.await.unwrap();
        recovered.await.unwrap();
        assert_eq!(cache.status().await.unwrap().restarts, 4);
        assert!(cache.get_or_download("x:0").await.unwrap().source != Source::Origin, "stored entries are found again");
        cache.close().await.unwrap();
    }

    /// Exhausts the component's resources until there is no instance left.
    async fn exhaust(cache: &MediaCache) {
        let mut number = 0;
        while cache.passed_through() == 0 {
            cache.get_or_download(&format!("x:{number}")).await.unwrap();
            number += 1;
        }
        cache.0.availability.next_outage().await;
    }

    /// Replaces the component once no attempt to start one is in progress.
    async fn swap(cache: &MediaCache, component: &CacheComponent) -> Result<ComponentStatus, ComponentSwapError> {
        loop {
            match cache.swap_component(component.clone()).await {
                Err(ComponentSwapError::Loading | ComponentSwapError::Interrupted) => tokio::task::yield_now().await,
                swapped => return swapped,
            }
        }
    }

    #[tokio::test]
    async fn component_that_no_longer_starts_can_be_swapped_out() {
        let directory = tempfile::tempdir().unwrap();
        let mut prepared = MediaCache::builder().directory(directory.path()).downloader(echo).prepare().unwrap();
        let make_state = std::mem::replace(&mut prepared.driver.make_state, Box::new(|| Err(wasmtime::Error::msg("not set"))));
        let (made, components) = (AtomicU64::new(0), prepared.driver.serving.components.clone());
        prepared.driver.make_state = Box::new(move || {
            let mut state = make_state()?;
            match made.fetch_add(1, Ordering::Relaxed) {
                0 => state.table.set_max_capacity(8),
                _ if components.status().swaps == 0 && components.status().swap.is_none() => state.table.set_max_capacity(1),
                _ => {}
            }
            Ok(state)
        });
        let cache = prepared.open().await.unwrap();
        exhaust(&cache).await;
        cache.watch_health().wait_for(|health| matches!(health, Health::Degraded(_))).await.unwrap();
        let other = cache.engine().compile_cache(ComponentOrigin::Upload, embedded::CACHE).unwrap();
        let swapped = swap(&cache, &other).await.unwrap();
        assert_eq!(swapped.swaps, 1);
        cache.watch_health().wait_for(|health| matches!(health, Health::Storing)).await.unwrap();
        assert!(cache.get_or_download("x:0").await.unwrap().source != Source::Origin, "stored entries are found again");
        cache.close().await.unwrap();
    }

    #[tokio::test]
    async fn component_is_not_replaced_if_its_directory_cannot_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        let builder = MediaCache::builder().directory(directory.path()).downloader(echo);
        let mut prepared = builder.prepare().unwrap();
        let other = prepared.driver.engine.compile_cache(ComponentOrigin::Upload, embedded::CACHE).unwrap();
        prepared.driver.fallback = Some(other);
        let make_state = std::mem::replace(&mut prepared.driver.make_state, Box::new(|| Err(wasmtime::Error::msg("not set"))));
        let made = Arc::new(AtomicU64::new(0));
        let counted = made.clone();
        prepared.driver.make_state = Box::new(move || {
            let mut state = make_state()?;
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => state.table.set_max_capacity(8),
                1..=3 => return Err(wasmtime::Error::msg("the directory cannot be opened")),
                _ => {}
            }
            Ok(state)
        });
        let cache = prepared.open().await.unwrap();
        let mut number = 0;
        while made.load(Ordering::Relaxed) <= 4 {
            cache.get_or_download(&format!("x:{number}")).await.unwrap();
            number += 1;
        }
        let status = cache.component();
        assert_eq!((status.current.origin, status.fallback_from), (ComponentOrigin::BuiltIn, None));
        cache.close().await.unwrap();
    }

    #[tokio::test]
    async fn swap_fails_if_neither_the_old_nor_the_new_component_starts() {
        let directory = tempfile::tempdir().unwrap();
        let mut prepared = MediaCache::builder().directory(directory.path()).downloader(echo).prepare().unwrap();
        let make_state = std::mem::replace(&mut prepared.driver.make_state, Box::new(|| Err(wasmtime::Error::msg("not set"))));
        let (made, is_broken) = (AtomicU64::new(0), Arc::new(AtomicBool::new(true)));
        let breaks = is_broken.clone();
        prepared.driver.make_state = Box::new(move || match made.fetch_add(1, Ordering::Relaxed) {
            0 => {
                let mut state = make_state()?;
                state.table.set_max_capacity(8);
                Ok(state)
            }
            _ if breaks.load(Ordering::Relaxed) => Err(wasmtime::Error::msg("it never ran")),
            _ => make_state(),
        });
        let cache = prepared.open().await.unwrap();
        exhaust(&cache).await;
        let other = cache.engine().compile_cache(ComponentOrigin::Upload, embedded::CACHE).unwrap();
        let error = swap(&cache, &other).await.unwrap_err();
        assert!(matches!(&error, ComponentSwapError::Start(why) if why.contains("it never ran")), "{error}");
        let status = cache.component();
        assert_eq!((status.current.origin, status.swaps, status.failed_swaps > 0), (ComponentOrigin::BuiltIn, 0, true));
        cache.watch_health().wait_for(|health| matches!(health, Health::Degraded(_))).await.unwrap();
        is_broken.store(false, Ordering::Relaxed);
        cache.watch_health().wait_for(|health| matches!(health, Health::Storing)).await.unwrap();
        assert_eq!(cache.status().await.unwrap().component.current.origin, ComponentOrigin::BuiltIn);
        cache.close().await.unwrap();
    }

    #[tokio::test]
    async fn request_that_traps_every_instance_fails_with_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let cache = open(directory.path(), u64::MAX).await;
        let mut answers = Vec::new();
        for name in ["x:a", "x:b", "x:c", "x:d", "x:e", "x:f"] {
            answers.push(cache.put(name, "bytes", "text/plain", "a.txt").await);
        }
        let broke_down = |answer: &Result<_, CacheError>| matches!(answer, Err(CacheError::BrokeDown));
        assert!(answers.iter().any(broke_down), "{answers:?}");
        assert!(cache.status().await.unwrap().restarts > 0, "the component is restarted");
    }
}
