//! How a cache is made.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media_cache_key_rules::{KeyRules, ParameterRule};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::ResourceTable;

use crate::bindings::cache::exports::media_cache::cache::cache::{self as component, Options};
use crate::cache::{CacheError, MediaCache, Shared, describe};
use crate::download::{Downloader, FailureKind, HttpDownloader, HttpOptions, HttpSetupError};
use crate::driver::{Driver, Request};
use crate::engine::{CacheComponent, ComponentError, Engine, embedded};
use crate::held::{HeldBlobs, PendingHits};
use crate::lock::{DirectoryLock, LockError};
use crate::logs::{LogUrls, Logged};
use crate::metrics::Metrics;
use crate::policy::{CreateError, PolicyChoice, PolicyComponent, PolicyInstance, PolicyLimits, PolicySlot, Record, Swapper};
use crate::state::{self, Clock, State};
use crate::transcode::{EmbeddedTranscoder, Transcoder};

/// Requests that wait for the component's thread at most; who comes later waits before the door.
const QUEUE: usize = 1024;

/// Why a cache could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not ours.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The downloader could not be made.
    #[error(transparent)]
    Downloader(#[from] HttpSetupError),
    /// The cache or the policy cannot be used.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The policy does not start, or does not understand its options.
    #[error("the eviction policy {policy} cannot be used: {error}")]
    Policy {
        /// Where it comes from.
        policy: String,
        /// What is wrong.
        error: CreateError,
    },
    /// WebAssembly does not run here, or the component does not start.
    #[error("the cache component does not start: {0:#}")]
    Start(wasmtime::Error),
    /// The thread could not be made.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// The directory cannot be read.
    #[error("cannot load {}: {why}", directory.display())]
    Load {
        /// The directory.
        directory: PathBuf,
        /// What went wrong.
        why: String,
    },
}

/// Settings for a cache, and in the end the cache.
///
/// What is not set has the default of `options` in `wit/cache.wit`.
#[derive(Default)]
pub struct Builder {
    directory: Option<PathBuf>,
    options: Settings,
    downloader: Option<Arc<dyn Downloader>>,
    transcoder: Option<Arc<dyn Transcoder>>,
    clock: Option<Arc<dyn Clock>>,
    engine: Option<Engine>,
    component: Option<CacheComponent>,
    policy: Option<PolicyComponent>,
    policy_options: Vec<(String, String)>,
    policy_limits: PolicyLimits,
    metrics: Option<Metrics>,
    logged_urls: Option<LogUrls>,
    every_hit_calls: bool,
}

#[derive(Default)]
struct Settings {
    max_disk_bytes: Option<NonZeroU64>,
    max_memory_items: Option<u32>,
    max_memory_bytes: Option<u64>,
    failure_memory: Vec<(FailureKind, Duration)>,
    max_retry_after: Option<Duration>,
    key_rules: KeyRules,
}

impl Builder {
    /// Where the entries are. Made if it is not there. Default `media_cache`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The budget on disk, in bytes; both files of an entry count, in blocks of 4096. Default 500 MiB.
    #[must_use]
    pub fn max_disk_bytes(mut self, bytes: NonZeroU64) -> Self {
        self.options.max_disk_bytes = Some(bytes);
        self
    }

    /// How many entries are kept in memory, or open; 0 for none. Default 64.
    #[must_use]
    pub fn max_memory_items(mut self, items: u32) -> Self {
        self.options.max_memory_items = Some(items);
        self
    }

    /// How many bytes are kept in memory. Default 256 MiB.
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.options.max_memory_bytes = Some(bytes);
        self
    }

    /// For how long a failed download is remembered, of whichever kind; zero for not at all. In whole milliseconds. The default is
    /// another for each kind; see `failure-memory-ms` in `wit/cache.wit`.
    #[must_use]
    pub fn failure_memory(self, time: Duration) -> Self {
        FailureKind::ALL.into_iter().fold(self, |builder, kind| builder.failure_memory_of(kind, time))
    }

    /// The same for one kind of failure. What is said last counts. [`FailureKind::Overloaded`] is never remembered; of
    /// [`FailureKind::Unavailable`] this is the time where the origin asks for none, and zero is zero whatever it asks for.
    #[must_use]
    pub fn failure_memory_of(mut self, kind: FailureKind, time: Duration) -> Self {
        self.options.failure_memory.push((kind, time));
        self
    }

    /// How long an origin may ask to be left alone, with `Retry-After`. In whole milliseconds. Default 10 minutes.
    #[must_use]
    pub fn max_retry_after(mut self, time: Duration) -> Self {
        self.options.max_retry_after = Some(time);
        self
    }

    /// Which URLs are the same entry. What is stored under keys that these rules do not make is not found any more, and goes when the
    /// policy evicts it. Default: each URL is an entry of its own.
    #[must_use]
    pub fn key_rules(mut self, rules: KeyRules) -> Self {
        self.options.key_rules = rules;
        self
    }

    /// An option of the eviction policy.
    #[must_use]
    pub fn policy_option(mut self, name: &str, value: &str) -> Self {
        self.policy_options.push((name.into(), value.into()));
        self
    }

    /// What downloads. Default: [`HttpDownloader`], with its default options.
    #[must_use]
    pub fn downloader(self, downloader: impl Downloader) -> Self {
        self.shared_downloader(Arc::new(downloader))
    }

    /// What downloads, shared with others.
    #[must_use]
    pub fn shared_downloader(mut self, downloader: Arc<dyn Downloader>) -> Self {
        self.downloader = Some(downloader);
        self
    }

    /// What makes films of GIFs. Default: [`EmbeddedTranscoder`], with its default limits.
    #[must_use]
    pub fn transcoder(self, transcoder: impl Transcoder) -> Self {
        self.shared_transcoder(Arc::new(transcoder))
    }

    /// What makes films of GIFs, shared with others.
    #[must_use]
    pub fn shared_transcoder(mut self, transcoder: Arc<dyn Transcoder>) -> Self {
        self.transcoder = Some(transcoder);
        self
    }

    /// The time as the cache sees it. Default: the time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The engine to use, for programs with several caches. Default: one of its own.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The cache component, compiled by the same engine. Default: the built-in one.
    #[must_use]
    pub fn component(mut self, component: CacheComponent) -> Self {
        self.component = Some(component);
        self
    }

    /// The eviction policy, compiled by the same engine. Default: the built-in LRU.
    #[must_use]
    pub fn policy(mut self, policy: PolicyComponent) -> Self {
        self.policy = Some(policy);
        self
    }

    /// What the eviction policy, this one or another later, may use up. Default: see [`PolicyLimits`].
    #[must_use]
    pub fn policy_limits(mut self, limits: PolicyLimits) -> Self {
        self.policy_limits = limits;
        self
    }

    /// Has downloads and transcoding measured. Default: nothing is.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Has every download logged, with as much of its URL as this says. Default: none is.
    #[must_use]
    pub fn log_downloads(mut self, urls: LogUrls) -> Self {
        self.logged_urls = Some(urls);
        self
    }

    /// Has every hit call the component, also where it is known to hold the bytes. For measuring what that costs.
    #[must_use]
    pub fn every_hit_calls(mut self) -> Self {
        self.every_hit_calls = true;
        self
    }

    /// Opens the cache: takes the directory, starts the component, and finds out what is stored. Must be called within a Tokio
    /// runtime, which downloads and transcoding then run on.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(self) -> Result<MediaCache, OpenError> {
        self.prepare()?.open().await
    }

    /// Takes the directory, and makes sure of what can be known before anything is loaded: that the component compiles, and that the
    /// policy starts and takes its options. Must be called within a Tokio runtime, as [`open`](Self::open), and takes up the thread for a
    /// moment.
    ///
    /// # Errors
    /// Any [`OpenError`] but [`OpenError::Load`].
    pub fn prepare(self) -> Result<PreparedCache, OpenError> {
        let directory = self.directory.clone().unwrap_or_else(|| "media_cache".into());
        let lock = DirectoryLock::acquire(&directory)?;
        let limits = self.policy_limits;
        let key_rules = self.options.key_rules.clone();
        let held = (!self.every_hit_calls).then(HeldBlobs::default);
        let (requests, receiver) = mpsc::channel(QUEUE);
        let hits = Arc::new(PendingHits::new(requests.downgrade()));
        let (driver, record) = self.driver(&directory, hits.clone())?;
        let swapper = Arc::new(Swapper { engine: driver.engine.clone(), limits, record, requests: requests.downgrade() });
        Ok(PreparedCache { directory, lock, driver, requests, receiver, key_rules, held, hits, swapper })
    }

    fn driver(self, directory: &Path, hits: Arc<PendingHits>) -> Result<(Driver, Arc<Record>), OpenError> {
        let engine = self.engine.map_or_else(Engine::new, Ok).map_err(OpenError::Start)?;
        let component = self.component.map_or_else(|| engine.built_in_cache(), Ok)?;
        // What takes over should another policy do wrong is there beforehand.
        let lru = engine.built_in_policy(embedded::LRU)?;
        let limits = self.policy_limits;
        let choice = PolicyChoice { component: self.policy.unwrap_or(lru), options: self.policy_options };
        let record = Arc::new(record(&engine, choice, limits, self.options.capacities())?);
        let mut downloader = match self.downloader {
            Some(downloader) => downloader,
            None => Arc::new(HttpDownloader::new(HttpOptions::default())?),
        };
        if let Some(urls) = self.logged_urls {
            downloader = Arc::new(Logged::new(downloader, urls));
        }
        let mut transcoder = self.transcoder.unwrap_or_else(|| Arc::new(EmbeddedTranscoder::default()));
        if let Some(metrics) = self.metrics {
            downloader = Arc::new(metrics.measured(downloader));
            transcoder = Arc::new(metrics.measured(transcoder));
        }
        let make_state = {
            let (engine, record, hits) = (engine.clone(), record.clone(), hits.clone());
            let (directory, runtime) = (directory.to_owned(), Handle::current());
            let clock = self.clock;
            move || {
                Ok(State {
                    wasi: state::wasi(&directory, clock.clone())?,
                    table: ResourceTable::new(),
                    downloader: downloader.clone(),
                    transcoder: transcoder.clone(),
                    policy: PolicySlot::new(engine.clone(), limits, record.clone()),
                    runtime: runtime.clone(),
                    hits: hits.clone(),
                    handles: Arc::default(),
                })
            }
        };
        let options = self.options.for_component();
        let (make_state, restarts) = (Box::new(make_state), Arc::new(AtomicU64::new(0)));
        Ok((Driver { engine, component, options, make_state, hits, restarts }, record))
    }
}

/// A cache that has its directory, and has loaded nothing yet. Nobody else can have the directory until this is dropped.
pub struct PreparedCache {
    directory: PathBuf,
    lock: DirectoryLock,
    driver: Driver,
    requests: mpsc::Sender<Request>,
    receiver: mpsc::Receiver<Request>,
    key_rules: KeyRules,
    held: Option<HeldBlobs>,
    hits: Arc<PendingHits>,
    swapper: Arc<Swapper>,
}

impl PreparedCache {
    /// Starts the component, and finds out what is stored.
    ///
    /// # Errors
    /// [`OpenError::Start`], [`OpenError::Thread`] and [`OpenError::Load`].
    pub async fn open(self) -> Result<MediaCache, OpenError> {
        let Self { directory, lock, driver, requests, receiver, key_rules, held, hits, swapper } = self;
        let (ready, started) = oneshot::channel();
        let thread = start_thread(driver, receiver, ready, lock)?;
        let loaded = match started.await {
            Ok(Ok(())) => load(&requests, &directory).await,
            Ok(Err(error)) => Err(OpenError::Start(error)),
            Err(_) => Err(OpenError::Start(wasmtime::Error::msg("its thread broke off"))),
        };
        let report = match loaded {
            Ok(report) => report,
            Err(error) => {
                // With the last sender the thread ends, and with the thread the directory is free again.
                drop(requests);
                let _ = tokio::task::spawn_blocking(move || thread.join()).await;
                return Err(error);
            }
        };
        tokio::spawn(hits.clone().keep_telling());
        let thread = Mutex::new(Some(thread));
        Ok(MediaCache(Arc::new(Shared { requests, key_rules, held, hits, directory, report, swapper, thread })))
    }
}

impl Settings {
    /// The capacities that the policy will be asked to rank, as far as they are not left to the component.
    fn capacities(&self) -> impl Iterator<Item = u64> + use<> {
        let (disk, memory) = (self.max_disk_bytes.map(NonZeroU64::get), self.max_memory_items.map(u64::from));
        [Some(1), disk, memory].into_iter().flatten()
    }

    fn for_component(self) -> Options {
        Options {
            directory: Some(".".into()),
            max_disk_bytes: self.max_disk_bytes.map(NonZeroU64::get),
            max_memory_items: self.max_memory_items,
            max_memory_bytes: self.max_memory_bytes,
            failure_memory_ms: self.failure_memory.into_iter().map(|(kind, time)| (kind.into(), milliseconds(time))).collect(),
            max_retry_after_ms: self.max_retry_after.map(milliseconds),
            key_rules: self.key_rules.into(),
            policy_options: Vec::new(),
        }
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

impl From<KeyRules> for component::KeyRules {
    fn from(rules: KeyRules) -> Self {
        let rule = |rule: &ParameterRule| component::ParameterRule { host: rule.host().into(), drop: rule.drop().to_vec() };
        Self {
            drop_fragments: rules.drop_fragments,
            lower_case_hosts: rules.lower_case_hosts,
            parameters: rules.parameters.iter().map(rule).collect(),
        }
    }
}

/// Makes sure that a policy starts and takes its options, and begins the record of it.
fn record(
    engine: &Engine,
    choice: PolicyChoice,
    limits: PolicyLimits,
    capacities: impl IntoIterator<Item = u64>,
) -> Result<Record, OpenError> {
    let start = || {
        let mut policy = PolicyInstance::new(engine, &choice.component, limits)?;
        for capacity in capacities {
            policy.create(capacity.max(1), &choice.options)?;
        }
        Ok(policy.description().clone())
    };
    let description = start().map_err(|error| OpenError::Policy { policy: choice.component.origin().to_string(), error })?;
    Ok(Record::new(choice, description))
}

/// Runs the driver on a thread of its own, which holds the lock to its end.
fn start_thread(
    driver: Driver,
    requests: mpsc::Receiver<Request>,
    ready: oneshot::Sender<wasmtime::Result<()>>,
    lock: DirectoryLock,
) -> Result<std::thread::JoinHandle<()>, OpenError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::Thread)?;
    let run = move || {
        runtime.block_on(driver.run(requests, ready));
        drop(lock);
    };
    std::thread::Builder::new().name("media-cache".into()).spawn(run).map_err(OpenError::Thread)
}

async fn load(requests: &mpsc::Sender<Request>, directory: &Path) -> Result<crate::media::LoadReport, OpenError> {
    let (reply, answer) = oneshot::channel();
    let failed = |why: String| OpenError::Load { directory: directory.into(), why };
    requests.send(Request::Load(reply)).await.map_err(|_| failed(CacheError::Closed.to_string()))?;
    let report = answer.await.map_err(|_| failed(CacheError::BrokeDown.to_string()))?;
    report.map_err(|error| failed(describe(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use crate::download::{Download, FetchError};
    use crate::metrics::Format;
    use std::sync::atomic::Ordering;

    async fn echo(url: String) -> Result<Download, FetchError> {
        Ok(Download { body: url.into(), mimetype: "text/plain".into(), filename: "echo.txt".into() })
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
    async fn counters_do_not_go_down_when_the_component_starts_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, metrics) = (open(directory.path(), 1).await, Metrics::default());
        let mut told = 0;
        for name in ["x:a", "x:b", "x:c", "x:d", "x:e", "x:f"] {
            cache.get_or_download(name).await.unwrap();
            metrics.ask(Some(&cache)).await;
            let text = metrics.text(Format::Classic);
            let stored = text.lines().find_map(|line| line.strip_prefix("media_cache_stored_total ")).unwrap().parse().unwrap();
            assert!(stored >= told, "{stored} after {told}");
            told = stored;
        }
        let status = cache.status().await.unwrap();
        assert_eq!(status.restarts, 1);
        assert!(status.cache.stored < told, "the component knows only of what it did itself");
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
