//! The cache: its state, and the work in progress.
//!
//! Everything runs on one thread, so the state is in a [`RefCell`]. No borrow of it is held across an `await`. Other calls proceed during
//! the `await`, so the state is read again afterwards.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use media_cache_entry_files::{DigestHasher, KeyDigest};

use crate::arriving_media::ArrivingMedia;
use crate::bindings::exports::media_cache::cache::cache::{LoadReport, StoreError};
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::bindings::media_cache::policy::eviction::Policy;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cached_media::{CachedMedia, Refreshed};
use crate::counters::Counters;
use crate::disk::Disk;
use crate::disk_health::DiskHealth;
use crate::eviction_tier::EvictionTier;
use crate::failure_memory::FailureMemory;
use crate::index::Index;
use crate::index_log::log_file::IndexLog;
use crate::loading::Loading;
use crate::lookup_key::LookupKey;
use crate::memory_tier::MemoryTier;
use crate::on_standby::Standby;
use crate::pending_writes::PendingWrites;
use crate::remains::Remains;
use crate::settings::Settings;
use crate::single_flight;
use crate::state::State;
use crate::write_permits::WritePermits;

type SingleFlight<K, T> = single_flight::SingleFlight<K, T, BuildHasherDefault<DigestHasher>>;

/// A cache.
pub struct Cache {
    pub(crate) settings: Settings,
    pub(crate) state: RefCell<State>,
    pub(crate) disk: RefCell<Option<Rc<Disk>>>,
    /// The result of the load, once it is complete.
    pub(crate) report: Cell<Option<LoadReport>>,
    /// The media types that the transcoder accepts; set at the first fetch.
    pub(crate) accepted_types: OnceCell<Vec<String>>,
    pub(crate) loads: SingleFlight<(), Result<LoadReport, String>>,
    /// Opening the directory, which is the first step of a load.
    pub(crate) opening: SingleFlight<(), Result<(), String>>,
    /// The index log, while nothing is being written to it.
    pub(crate) log: RefCell<Option<IndexLog>>,
    /// The disk space in bytes of the index log and of the new log that will replace it.
    pub(crate) log_bytes: Cell<[u64; 2]>,
    /// The counters of an earlier instance.
    pub(crate) continued: RefCell<Vec<u64>>,
    /// When entries were last evicted because the file system had too little free space, by [`clock::ticks`](crate::clock::ticks).
    pub(crate) evicted_for_space: Cell<Option<u64>>,
    pub(crate) checkpoints: SingleFlight<(), ()>,
    /// When failed operations were last retried, by [`clock::ticks`](crate::clock::ticks), which starts at 0.
    pub(crate) tried_again: Cell<u64>,
    /// Syncs, which make all completed writes durable.
    pub(crate) syncs: SingleFlight<(), Result<(), ErrorCode>>,
    /// Fetches, by the digest of the URL as given.
    pub(crate) downloads: SingleFlight<KeyDigest, Result<CachedMedia, FetchError>>,
    /// Fetches and puts, by entry. If one fails, it ends without a result.
    pub(crate) fills: SingleFlight<KeyDigest, CachedMedia>,
    /// Media that is served while its body is arriving.
    pub(crate) arriving: ArrivingMedia,
    /// Fills of media that is served while its body is arriving, by entry. The result is the reason why the media was not stored, if it was
    /// not.
    pub(crate) settling: SingleFlight<KeyDigest, Option<StoreError>>,
    /// Refreshes, by the digest of the URL as given.
    pub(crate) refreshes: SingleFlight<KeyDigest, Result<Refreshed, FetchError>>,
    /// Reads from disk, by entry.
    pub(crate) reads: SingleFlight<KeyDigest, Option<CachedMedia>>,
    /// Checks of entries, which requests do not wait for.
    pub(crate) verifications: SingleFlight<KeyDigest, ()>,
    /// Permits to change the directory.
    pub(crate) permits: WritePermits,
    /// Transitions to and from standby.
    pub(crate) transitions: SingleFlight<(), ()>,
    /// State that is used on standby.
    pub(crate) on_standby: RefCell<Standby>,
    /// Deletions of files, by entry. Until one ends, nothing may be written under the same name.
    pub(crate) pending_deletes: SingleFlight<KeyDigest, ()>,
}

impl Cache {
    /// A cache that has not loaded its directory yet.
    pub fn with(settings: Settings) -> Self {
        // The first load reports a policy that cannot be created with these options. Until then, LRU decides.
        let policy = |capacity: u64| Policy::create(capacity.max(1), &settings.policy_options).ok();
        let disk_tier = EvictionTier::new(policy(settings.max_entry_bytes()));
        let memory_eviction = EvictionTier::new(policy(settings.max_memory_items.into()));
        let state = State {
            index: Index::default(),
            disk_tier,
            memory_tier: MemoryTier::new(
                memory_eviction,
                settings.max_memory_items,
                settings.max_memory_bytes,
                settings.max_open_files,
            ),
            failures: FailureMemory::default(),
            counters: Counters::default(),
            writes: PendingWrites::default(),
            disk_health: DiskHealth::default(),
            replacing: BTreeMap::new(),
            remains: Remains::default(),
            deleting_bytes: 0,
            unreadable: None,
            unfinished: false,
            loading: Some(Loading::default()),
        };
        Self {
            settings,
            state: RefCell::new(state),
            disk: RefCell::default(),
            report: Cell::default(),
            accepted_types: OnceCell::default(),
            loads: SingleFlight::default(),
            opening: SingleFlight::default(),
            log: RefCell::default(),
            log_bytes: Cell::default(),
            continued: RefCell::default(),
            evicted_for_space: Cell::default(),
            checkpoints: SingleFlight::default(),
            tried_again: Cell::default(),
            syncs: SingleFlight::default(),
            downloads: SingleFlight::default(),
            fills: SingleFlight::default(),
            arriving: ArrivingMedia::default(),
            settling: SingleFlight::default(),
            refreshes: SingleFlight::default(),
            reads: SingleFlight::default(),
            verifications: SingleFlight::default(),
            permits: WritePermits::default(),
            transitions: SingleFlight::default(),
            on_standby: RefCell::default(),
            pending_deletes: SingleFlight::default(),
        }
    }

    /// The keys of a request that stores something; the URL is validated.
    pub(crate) fn parse_key<'a>(&self, url: &'a str) -> Result<LookupKey<'a>, String> {
        LookupKey::parse(url, &self.settings.key_rules)
    }

    /// The keys of a request for a stored entry; the URL is not validated.
    pub(crate) fn lookup_key<'a>(&self, url: &'a str) -> LookupKey<'a> {
        LookupKey::unchecked(url, &self.settings.key_rules)
    }
}
