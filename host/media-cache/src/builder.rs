//! Configures and opens a cache.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media_cache_components as embedded;
use media_cache_interfaces::{Downloader, FailureKind, FreeSpaceFloor, Spool, Transcoder};
use media_cache_key_rules::KeyRules;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wasmtime::component::ResourceTable;

use crate::availability::Availability;
use crate::built_in;
use crate::cache::MediaCache;
use crate::call_downloaders::CallDownloaders;
use crate::component::cache_component::CacheComponent;
use crate::component::record::ComponentRecord;
use crate::copies::Copies;
use crate::defaults;
use crate::directory_lock::DirectoryLock;
use crate::directory_watch::DirectoryWatch;
use crate::disk_usage::{DiskUsage, RemovedFiles, spool_in};
use crate::driver::Driver;
use crate::engine::Engine;
use crate::file_faults::FaultHook;
use crate::hit_buffer::HitBuffer;
use crate::host_state::{self, Clock, HostState};
use crate::inbox::Inbox;
use crate::loading::Loaded;
use crate::lookup_spans::LookupSpans;
use crate::media::Durability;
use crate::open_error::OpenError;
use crate::options::Options;
use crate::pass_through::PassThrough;
use crate::policy::compiler::PolicyCompiler;
use crate::policy::component::PolicyComponent;
use crate::policy::engine::PolicyEngine;
use crate::policy::instance::PolicyInstance;
use crate::policy::record::Record;
use crate::policy::request_observer::{RequestObserver, SharedObserver};
use crate::policy::sandbox::PolicyLimits;
use crate::policy::slot::PolicySlot;
use crate::policy::spec::PolicyChoice;
use crate::policy::swap::Swapper;
use crate::prepared::PreparedCache;
use crate::private_files::OWN_DIRECTORY;
use crate::request::Request;
use crate::resident_index::ResidentIndex;
use crate::retired::RetiredInstances;
use crate::serving::Serving;
use crate::slow_operations::SlowOperations;
use crate::watchdog::MAX_SILENCE;

/// The length of the queue of requests to the driver thread. While it is full, callers wait until there is room.
const QUEUE: usize = 1024;

type DownloaderLayer = Box<dyn FnOnce(Arc<dyn Downloader>) -> Arc<dyn Downloader> + Send>;

/// Configures a [`MediaCache`] and opens it.
///
/// Options that are not set have the defaults of `options` in `wit/cache/cache.wit`; see also [`defaults`](crate::defaults).
#[derive(Default)]
pub struct Builder {
    directory: Option<PathBuf>,
    options: Options,
    downloader: Option<Arc<dyn Downloader>>,
    downloader_layer: Option<DownloaderLayer>,
    transcoder: Option<Arc<dyn Transcoder>>,
    clock: Option<Arc<dyn Clock>>,
    engine: Option<Engine>,
    component: Option<CacheComponent>,
    fallback: Option<CacheComponent>,
    policy: Option<PolicyComponent>,
    policy_options: Vec<(String, String)>,
    policy_limits: PolicyLimits,
    policy_compiler: Option<Arc<dyn PolicyCompiler>>,
    every_hit_calls: bool,
    max_silence: Option<Duration>,
    min_free: FreeSpaceFloor,
    spool: Option<Arc<Spool>>,
    integrity_check_rate: Option<NonZeroU64>,
    faults: FaultHook,
    observer: SharedObserver,
    copies: Option<Arc<dyn Copies>>,
}

impl MediaCache {
    /// A builder with the default options.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// The directory of the entries. It is created if it does not exist. Default: `media_cache`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The disk budget in bytes for all files of the cache. Default: [`MAX_DISK_BYTES`](crate::defaults::MAX_DISK_BYTES).
    #[must_use]
    pub fn max_disk_bytes(mut self, bytes: NonZeroU64) -> Self {
        self.options.max_disk_bytes = Some(bytes);
        self
    }

    /// The part of the disk budget, in bytes, that is reserved for everything but entries: bodies that are being received into files, the
    /// index log, removed files that are still open, and remembered policies. The rest is the budget for entries. Both files of an entry
    /// count against it, each rounded up to a multiple of 4096. At least one byte is left for entries.
    /// Default: [an eighth](crate::defaults::reserved_by_default) of the budget.
    #[must_use]
    pub fn reserved_disk_bytes(mut self, bytes: u64) -> Self {
        self.options.reserved_disk_bytes = Some(bytes);
        self
    }

    /// The free space that the cache leaves on its file system, regardless of the budget. If other programs use it up, entries are evicted.
    /// Default: none.
    #[must_use]
    pub fn min_free(mut self, floor: FreeSpaceFloor) -> Self {
        self.min_free = floor;
        self
    }

    /// The spool, which holds large bodies while they arrive. If it is in the directory of the cache, as it is by default, the cache sets
    /// its allowance: at most three quarters of the reserved part of the disk budget. For this reason, caches must not share a spool, and a
    /// custom downloader should use the spool of its cache.
    #[must_use]
    pub fn spool(mut self, spool: Arc<Spool>) -> Self {
        self.spool = Some(spool);
        self
    }

    /// The maximum number of items in the memory tier; 0 disables the tier. A large entry is resident as an open file. Default:
    /// [`MAX_MEMORY_ITEMS`](crate::defaults::MAX_MEMORY_ITEMS).
    #[must_use]
    pub fn max_memory_items(mut self, items: u32) -> Self {
        self.options.max_memory_items = Some(items);
        self
    }

    /// The maximum number of bytes in the memory tier. Default: [`MAX_MEMORY_BYTES`](crate::defaults::MAX_MEMORY_BYTES).
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.options.max_memory_bytes = Some(bytes);
        self
    }

    /// The maximum number of entry files that are kept open, so that hits on them are served without calling the component; 0 for none.
    /// Default: [`MAX_OPEN_FILES`](crate::defaults::MAX_OPEN_FILES).
    #[must_use]
    pub fn max_open_files(mut self, files: u32) -> Self {
        self.options.max_open_files = Some(files);
        self
    }

    /// How long failed downloads of every kind are remembered, in whole milliseconds; zero means not at all. The default depends on the
    /// kind: see `fetch-error` in `wit/cache/failures.wit`. As described for [`failure_memory_of`](Self::failure_memory_of), some kinds are
    /// treated differently.
    #[must_use]
    pub fn failure_memory(self, time: Duration) -> Self {
        FailureKind::ALL.into_iter().fold(self, |builder, kind| builder.failure_memory_of(kind, time))
    }

    /// How long failed downloads of one kind are remembered, in whole milliseconds; zero means not at all. If this is called several times
    /// for a kind, the last call applies.
    ///
    /// [`FailureKind::Overloaded`] is never remembered. For [`FailureKind::Unavailable`], the time applies if the origin does not specify
    /// one; zero always applies.
    #[must_use]
    pub fn failure_memory_of(mut self, kind: FailureKind, time: Duration) -> Self {
        self.options.failure_memory.push((kind, time));
        self
    }

    /// The longest `Retry-After` from an origin that is respected, in whole milliseconds. Default: 10 minutes.
    #[must_use]
    pub fn max_retry_after(mut self, time: Duration) -> Self {
        self.options.max_retry_after = Some(time);
        self
    }

    /// The rules that decide which URLs share an entry. Entries that were stored under cache keys that these rules do not produce can no
    /// longer be found, and remain until the policy evicts them. Default: each URL has a separate entry.
    #[must_use]
    pub fn key_rules(mut self, rules: KeyRules) -> Self {
        self.options.key_rules = rules;
        self
    }

    /// Adds an option for the eviction policy.
    #[must_use]
    pub fn policy_option(mut self, name: &str, value: &str) -> Self {
        self.policy_options.push((name.into(), value.into()));
        self
    }

    /// Which events stored entries survive. Default: the end of the process, but not a power loss ([`Durability::None`]).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = Some(durability);
        self
    }

    /// The downloader. Default: the built-in one with its default options; without the feature `http`, nothing is downloaded.
    #[must_use]
    pub fn downloader(self, downloader: impl Downloader) -> Self {
        self.shared_downloader(Arc::new(downloader))
    }

    /// A function that wraps the downloader, whether it is the built-in one or another. The last function applies.
    #[must_use]
    pub fn downloader_layer(mut self, layer: impl FnOnce(Arc<dyn Downloader>) -> Arc<dyn Downloader> + Send + 'static) -> Self {
        self.downloader_layer = Some(Box::new(layer));
        self
    }

    /// A downloader that other caches may share.
    #[must_use]
    pub fn shared_downloader(mut self, downloader: Arc<dyn Downloader>) -> Self {
        self.downloader = Some(downloader);
        self
    }

    /// The transcoder, which converts media before it is stored. Default: the built-in one, which converts all GIFs within its default
    /// limits; without the feature `gif`, GIFs are stored unchanged.
    #[must_use]
    pub fn transcoder(self, transcoder: impl Transcoder) -> Self {
        self.shared_transcoder(Arc::new(transcoder))
    }

    /// Which GIFs the built-in transcoder converts to MP4, within its default limits. This sets the transcoder: the last call to this
    /// method or [`transcoder`](Self::transcoder) applies. Default: all GIFs.
    #[cfg(feature = "gif")]
    #[must_use]
    pub fn convert_gifs(self, which: crate::gif::ConvertGifs) -> Self {
        self.transcoder(crate::gif::GifTranscoder::embedded().only(which))
    }

    /// A transcoder that other caches may share.
    #[must_use]
    pub fn shared_transcoder(mut self, transcoder: Arc<dyn Transcoder>) -> Self {
        self.transcoder = Some(transcoder);
        self
    }

    /// The clock of the cache, for the time of day and for durations. Default: the system's clocks.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The engine that compiles and runs components, for programs with several caches. Default: a separate engine.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The cache component, compiled by the same engine. Default: the embedded one.
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

    /// The cache component that takes over if three instances of the main component in a row crash before they have answered anything. The
    /// log and [`component`](MediaCache::component) report this. Default: none; the cache keeps trying to start the main component, with
    /// pauses of up to a minute.
    #[must_use]
    pub fn fallback_component(mut self, component: CacheComponent) -> Self {
        self.fallback = Some(component);
        self
    }

    /// Passes the requests that the policy of the disk tier is informed of to an observer as well, such as shadow policies. Default: none.
    #[must_use]
    pub fn request_observer(mut self, observer: Arc<dyn RequestObserver>) -> Self {
        self.observer = SharedObserver::new(observer);
        self
    }

    /// Where to remove copies of entries that a caller [removes](MediaCache::remove) by their URLs. Evictions, and removals of several
    /// entries, do not concern copies. Default: there are none.
    #[must_use]
    pub fn copies(mut self, copies: Arc<dyn Copies>) -> Self {
        self.copies = Some(copies);
        self
    }

    /// The limits of the eviction policy, and of policies that replace it later. Default: see [`PolicyLimits`].
    #[must_use]
    pub fn policy_limits(mut self, limits: PolicyLimits) -> Self {
        self.policy_limits = limits;
        self
    }

    /// The compiler for policies that are uploaded while the cache runs; see [`Engine::compile_upload`]. Default: this process compiles
    /// them.
    #[must_use]
    pub fn policy_compiler(mut self, compiler: Arc<dyn PolicyCompiler>) -> Self {
        self.policy_compiler = Some(compiler);
        self
    }

    /// Calls the component for every hit, even for hits that could be served without it. This is for measuring the cost of these calls.
    #[must_use]
    pub fn every_hit_calls(mut self) -> Self {
        self.every_hit_calls = true;
        self
    }

    /// How long the cache may fail to respond, for example because its disk hangs, before requests bypass it and go to the network.
    /// Default: 5 seconds.
    #[must_use]
    pub fn max_silence(mut self, time: Duration) -> Self {
        self.max_silence = Some(time);
        self
    }

    /// Reads all entries in the background and verifies their digests, at most once a day, at this average rate in bytes per second.
    /// Damaged entries are removed; [`integrity`](MediaCache::integrity) reports the results. Default: entries are only verified when they
    /// are read.
    #[must_use]
    pub fn integrity_check_rate(mut self, bytes_per_second: NonZeroU64) -> Self {
        self.integrity_check_rate = Some(bytes_per_second);
        self
    }

    /// Makes file operations fail, to test how the cache handles such failures.
    #[cfg(feature = "fault-injection")]
    #[must_use]
    pub fn file_faults(mut self, faults: Arc<dyn crate::file_faults::FileFaults>) -> Self {
        self.faults.faults = Some(faults);
        self
    }

    /// Compiles the built-in components that the cache will need, so that opening it takes less time. This blocks the thread for up to a
    /// second.
    ///
    /// # Errors
    /// [`OpenError::Start`] and [`OpenError::Component`].
    pub fn compile(mut self) -> Result<Self, OpenError> {
        let engine = self.engine.take().map_or_else(Engine::new, Ok).map_err(OpenError::Start)?;
        if self.component.is_none() {
            self.component = Some(engine.built_in_cache()?);
        }
        engine.built_in_policy(embedded::LRU)?;
        self.engine = Some(engine);
        Ok(self)
    }

    /// Opens the cache: locks the directory, starts the component, and waits until the directory has been loaded. Must be called within a
    /// Tokio runtime, which then runs downloads and transcoding.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(self) -> Result<MediaCache, OpenError> {
        self.prepare()?.open().await
    }

    /// Locks the directory and checks everything that does not require loading it: that the component compiles, and that the policy starts
    /// and accepts its options. Must be called within a Tokio runtime, like [`open`](Self::open). This blocks the thread briefly.
    ///
    /// # Errors
    /// Any [`OpenError`] except [`OpenError::Load`].
    pub fn prepare(mut self) -> Result<PreparedCache, OpenError> {
        let directory = self.directory.clone().unwrap_or_else(|| defaults::DIRECTORY.into());
        let lock = DirectoryLock::acquire(&directory)?;
        let (limits, max_silence) = (self.policy_limits, self.max_silence.unwrap_or(MAX_SILENCE));
        let (integrity_check_rate, copies) = (self.integrity_check_rate, self.copies.clone());
        let key_rules = self.options.key_rules.clone();
        let lookup_spans = Arc::<LookupSpans>::default();
        let transcoder = self.transcoder.take().unwrap_or_else(built_in::transcoder);
        self.transcoder = Some(lookup_spans.transcoder(transcoder, key_rules.clone()));
        let residents = (!self.every_hit_calls).then(|| Arc::new(ResidentIndex::new(&directory)));
        let (requests, received_requests) = mpsc::channel(QUEUE);
        let (commands, received_commands) = mpsc::channel(1);
        let hits = Arc::new(HitBuffer::new(requests.downgrade()));
        let hit_path = HitPath { hits: hits.clone(), residents: residents.clone() };
        let (handovers, received_handovers) = mpsc::unbounded_channel();
        let own_directory = directory.join(OWN_DIRECTORY);
        let spool = self.spool.clone().unwrap_or_else(|| spool_in(&directory, self.min_free));
        let usage = {
            let (spool, removed, min_free) = (spool.clone(), Arc::<RemovedFiles>::default(), self.min_free);
            let reserved = self.options.reserved_disk_bytes();
            move || DiskUsage::new(spool.clone(), reserved, removed.clone(), min_free, own_directory.clone())
        };
        let (driver, record, pass_through) = self.driver(&directory, lock, hit_path, handovers, &spool, usage)?;
        let swapper = Arc::new(Swapper { engine: driver.engine.policies().clone(), limits, record, commands });
        let inbox = Inbox {
            requests: received_requests,
            commands: received_commands,
            handovers: received_handovers,
            postponed: VecDeque::new(),
        };
        Ok(PreparedCache {
            directory,
            driver,
            requests,
            inbox,
            key_rules,
            residents,
            hits,
            swapper,
            pass_through,
            max_silence,
            spool,
            integrity_check_rate,
            copies,
            lookup_spans,
        })
    }

    fn driver(
        self,
        directory: &Path,
        lock: DirectoryLock,
        HitPath { hits, residents }: HitPath,
        handovers: mpsc::UnboundedSender<Request>,
        spool: &Arc<Spool>,
        usage: impl Fn() -> DiskUsage + Send + 'static,
    ) -> Result<(Driver, Arc<Record>, PassThrough), OpenError> {
        let mut engine = self.engine.map_or_else(Engine::new, Ok).map_err(OpenError::Start)?;
        if let Some(compiler) = self.policy_compiler {
            engine = engine.with_policy_compiler(compiler);
        }
        let component = self.component.map_or_else(|| engine.built_in_cache(), Ok)?;
        // Compiled in advance, since this policy must be available when another one faults.
        let lru = engine.built_in_policy(embedded::LRU)?;
        let limits = self.policy_limits;
        let choice = PolicyChoice { component: self.policy.unwrap_or(lru), options: self.policy_options };
        let record = Arc::new(record(engine.policies(), choice, limits, self.options.capacities())?);
        let transcoder = self.transcoder.unwrap_or_else(built_in::transcoder);
        // Called here and not on the driver thread, since this is the caller's code, which may be slow or panic.
        let accepted_types = transcoder.accepted_types();
        let downloader = self.downloader.map_or_else(|| built_in::downloader(spool, accepted_types.clone()), Ok)?;
        let downloader = match self.downloader_layer {
            Some(layer) => layer(downloader),
            None => downloader,
        };
        let pass_through = PassThrough {
            downloader: downloader.clone(),
            transcoder: transcoder.clone(),
            accepted_types: accepted_types.clone(),
            runtime: Handle::current(),
            fetches: Mutex::default(),
            arriving: Mutex::default(),
            requests: AtomicU64::new(0),
        };
        let availability = Arc::<Availability>::default();
        let watch = Arc::new(DirectoryWatch::new(directory.to_owned(), lock, availability.clone()));
        let operations = Arc::<SlowOperations>::default();
        let make_state = {
            let (engine, record, hits) = (engine.policies().clone(), record.clone(), hits.clone());
            let (directory, runtime) = (directory.to_owned(), Handle::current());
            let (clock, faults, operations, observer) = (self.clock, self.faults, operations.clone(), self.observer);
            move || {
                Ok(HostState {
                    instance: 0,
                    wasi: host_state::wasi(&directory, clock.clone())?,
                    table: ResourceTable::new(),
                    downloader: downloader.clone(),
                    call_downloaders: CallDownloaders::default(),
                    transcoder: transcoder.clone(),
                    accepted_types: accepted_types.clone(),
                    policy: PolicySlot::new(engine.clone(), limits, record.clone()).with_observer(observer.of_instance()),
                    runtime: runtime.clone(),
                    hits: hits.clone(),
                    disk_usage: usage(),
                    handles: Arc::default(),
                    faults: faults.clone(),
                    operations: operations.clone(),
                })
            }
        };
        let serving = Serving {
            hits,
            residents,
            directory: watch,
            key_rules: self.options.key_rules.clone(),
            components: Arc::new(ComponentRecord::new(component)),
            policies: record.clone(),
            retired: RetiredInstances::default(),
            counted: Arc::default(),
        };
        let driver = Driver {
            engine,
            options: self.options.for_component(),
            make_state: Box::new(make_state),
            restarts: Arc::default(),
            instances: AtomicU64::new(0),
            loaded: Loaded::default(),
            availability,
            handovers,
            slices: Arc::default(),
            operations,
            serving,
            fallback: self.fallback,
        };
        Ok((driver, record, pass_through))
    }
}

/// Where hits that bypass the component are recorded.
struct HitPath {
    hits: Arc<HitBuffer>,
    residents: Option<Arc<ResidentIndex>>,
}

/// Checks that a policy starts and accepts its options, and creates its record.
fn record(
    engine: &PolicyEngine,
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
