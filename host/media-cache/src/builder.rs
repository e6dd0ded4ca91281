//! How a cache is made.

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
use crate::component::cache_component::CacheComponent;
use crate::component::record::ComponentRecord;
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
use crate::media::Durability;
use crate::open_error::OpenError;
use crate::options::Options;
use crate::pass_through::PassThrough;
use crate::policy::compiler::PolicyCompiler;
use crate::policy::component::PolicyComponent;
use crate::policy::engine::PolicyEngine;
use crate::policy::instance::PolicyInstance;
use crate::policy::record::Record;
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

/// Requests that wait for the component's thread at most; who comes later waits before the door.
const QUEUE: usize = 1024;

/// Settings for a cache, and in the end the cache.
///
/// What is not set has the default of `options` in `wit/cache/cache.wit`.
#[derive(Default)]
pub struct Builder {
    directory: Option<PathBuf>,
    options: Options,
    downloader: Option<Arc<dyn Downloader>>,
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
}

impl MediaCache {
    /// The way to make one.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Where the entries are. Made if it is not there. Default `media_cache`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The disk budget in bytes, for all files of the cache. Default [`MAX_DISK_BYTES`](crate::defaults::MAX_DISK_BYTES).
    #[must_use]
    pub fn max_disk_bytes(mut self, bytes: NonZeroU64) -> Self {
        self.options.max_disk_bytes = Some(bytes);
        self
    }

    /// The part of the disk budget in bytes that is reserved for everything but entries: bodies that are arriving in files, the index
    /// log, removed files that are still open, and what is remembered of policies. The rest is for entries, both files of each in blocks
    /// of 4096 bytes. At least one byte is left for them. Default [an eighth](crate::defaults::reserved_by_default) of the budget.
    #[must_use]
    pub fn reserved_disk_bytes(mut self, bytes: u64) -> Self {
        self.options.reserved_disk_bytes = Some(bytes);
        self
    }

    /// The free space that the cache leaves on its file system, whatever the budget is. If others use it, entries are evicted. Default: none.
    #[must_use]
    pub fn min_free(mut self, floor: FreeSpaceFloor) -> Self {
        self.min_free = floor;
        self
    }

    /// Where large bodies arrive. If that is in the directory of the cache, as it is by default, the cache sets its allowance: at most three
    /// quarters of what is reserved of the disk budget. So caches do not share a spool; a downloader of your own should use the same one.
    #[must_use]
    pub fn spool(mut self, spool: Arc<Spool>) -> Self {
        self.spool = Some(spool);
        self
    }

    /// How many entries are kept in memory, or open; 0 for none. Default
    /// [`MAX_MEMORY_ITEMS`](crate::defaults::MAX_MEMORY_ITEMS).
    #[must_use]
    pub fn max_memory_items(mut self, items: u32) -> Self {
        self.options.max_memory_items = Some(items);
        self
    }

    /// How many bytes are kept in memory. Default [`MAX_MEMORY_BYTES`](crate::defaults::MAX_MEMORY_BYTES).
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.options.max_memory_bytes = Some(bytes);
        self
    }

    /// How many files of entries are kept open, so that hits are served from them without the component; 0 for none. Default
    /// [`MAX_OPEN_FILES`](crate::defaults::MAX_OPEN_FILES).
    #[must_use]
    pub fn max_open_files(mut self, files: u32) -> Self {
        self.options.max_open_files = Some(files);
        self
    }

    /// For how long a failed download is remembered, of whichever kind; zero for not at all. In whole milliseconds. The default is
    /// another for each kind; see `failure-memory-ms` in `wit/cache/cache.wit`.
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

    /// What an entry survives once it is stored. Default: the end of the process, not a power loss.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = Some(durability);
        self
    }

    /// What downloads. Default: the built-in downloader, with its default options; without the feature `http` nothing is downloaded.
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

    /// What converts media before it is stored. Default: the built-in transcoder, which converts all GIFs within its default limits;
    /// without the feature `gif` they are stored as they are.
    #[must_use]
    pub fn transcoder(self, transcoder: impl Transcoder) -> Self {
        self.shared_transcoder(Arc::new(transcoder))
    }

    /// Which GIFs become videos, by the built-in transcoder with its default limits. Takes the place of any other transcoder, as one that
    /// is set later takes its place. Default: all of them.
    #[cfg(feature = "gif")]
    #[must_use]
    pub fn convert_gifs(self, which: crate::gif::ConvertGifs) -> Self {
        self.transcoder(crate::gif::GifTranscoder::embedded().only(which))
    }

    /// What converts media before it is stored, shared with others.
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

    /// The cache component that runs if three instances of the other one in a row break down before they have answered anything. The log
    /// says so, and [`component`](MediaCache::component). Default: none, and starting it is tried again and again.
    #[must_use]
    pub fn fallback_component(mut self, component: CacheComponent) -> Self {
        self.fallback = Some(component);
        self
    }

    /// What the eviction policy, this one or another later, may use up. Default: see [`PolicyLimits`].
    #[must_use]
    pub fn policy_limits(mut self, limits: PolicyLimits) -> Self {
        self.policy_limits = limits;
        self
    }

    /// What compiles policies that are handed in while the cache runs; see [`Engine::compile_upload`]. Default: this process.
    #[must_use]
    pub fn policy_compiler(mut self, compiler: Arc<dyn PolicyCompiler>) -> Self {
        self.policy_compiler = Some(compiler);
        self
    }

    /// Has every hit call the component, also where it is known to hold the bytes. For measuring what that costs.
    #[must_use]
    pub fn every_hit_calls(mut self) -> Self {
        self.every_hit_calls = true;
        self
    }

    /// How long the cache may fail to respond, for example because its disk hangs, before requests are passed through to the network
    /// without it. Default 5 seconds.
    #[must_use]
    pub fn max_silence(mut self, time: Duration) -> Self {
        self.max_silence = Some(time);
        self
    }

    /// Has all entries be read and compared with their digests in the background, at most once a day, at this many bytes a second.
    /// What is damaged is removed; [`integrity`](MediaCache::integrity) says what was found. Default: that is done only when an entry is
    /// read.
    #[must_use]
    pub fn integrity_check_rate(mut self, bytes_per_second: NonZeroU64) -> Self {
        self.integrity_check_rate = Some(bytes_per_second);
        self
    }

    /// Has operations on files fail. For tests of what the cache does about that.
    #[cfg(feature = "fault-injection")]
    #[must_use]
    pub fn file_faults(mut self, faults: Arc<dyn crate::file_faults::FileFaults>) -> Self {
        self.faults.faults = Some(faults);
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
        let directory = self.directory.clone().unwrap_or_else(|| defaults::DIRECTORY.into());
        let lock = DirectoryLock::acquire(&directory)?;
        let (limits, max_silence) = (self.policy_limits, self.max_silence.unwrap_or(MAX_SILENCE));
        let integrity_check_rate = self.integrity_check_rate;
        let key_rules = self.options.key_rules.clone();
        let residents = (!self.every_hit_calls).then(Arc::<ResidentIndex>::default);
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
        // What takes over should another policy do wrong is there beforehand.
        let lru = engine.built_in_policy(embedded::LRU)?;
        let limits = self.policy_limits;
        let choice = PolicyChoice { component: self.policy.unwrap_or(lru), options: self.policy_options };
        let record = Arc::new(record(engine.policies(), choice, limits, self.options.capacities())?);
        let downloader = self.downloader.map_or_else(|| built_in::downloader(spool), Ok)?;
        let transcoder = self.transcoder.unwrap_or_else(built_in::transcoder);
        // Asked here, not on the driver's thread: it is the caller's code, and may be slow or panic.
        let accepted_types = transcoder.accepted_types();
        let pass_through = PassThrough {
            downloader: downloader.clone(),
            transcoder: transcoder.clone(),
            accepted_types: accepted_types.clone(),
            runtime: Handle::current(),
            fetches: Mutex::default(),
            requests: AtomicU64::new(0),
        };
        let availability = Arc::<Availability>::default();
        let watch = Arc::new(DirectoryWatch::new(directory.to_owned(), lock, availability.clone()));
        let operations = Arc::<SlowOperations>::default();
        let make_state = {
            let (engine, record, hits) = (engine.policies().clone(), record.clone(), hits.clone());
            let (directory, runtime) = (directory.to_owned(), Handle::current());
            let (clock, faults, operations) = (self.clock, self.faults, operations.clone());
            move || {
                Ok(HostState {
                    instance: 0,
                    wasi: host_state::wasi(&directory, clock.clone())?,
                    table: ResourceTable::new(),
                    downloader: downloader.clone(),
                    transcoder: transcoder.clone(),
                    accepted_types: accepted_types.clone(),
                    policy: PolicySlot::new(engine.clone(), limits, record.clone()),
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

/// Where hits go that bypass the component.
struct HitPath {
    hits: Arc<HitBuffer>,
    residents: Option<Arc<ResidentIndex>>,
}

/// Makes sure that a policy starts and takes its options, and begins the record of it.
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
