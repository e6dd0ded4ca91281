//! Passes the requests that the policy of the disk tier is informed of to an observer, such as shadow policies.
//!
//! The cache informs a policy of hits in batches and of misses as decisions, off the path of hits. Observing these calls therefore costs
//! nothing where hits are served, and yields the requests in the order in which the policy receives them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::policy::residency_log::ResidencyLog;
use crate::policy::types::{Entry, Event, MediaKind};

/// Observes the requests for media that can be stored.
///
/// A miss is observed when its body is complete. Failed downloads, media that its origin does not allow to be stored, and media that exceeds
/// the capacity are not observed. Up to 1,023 hits are delayed until the next miss.
pub trait RequestObserver: Send + Sync + 'static {
    /// Called in order, on the thread of the cache, which waits for it. `capacity` is that of the disk tier, in bytes, and `entries` is the
    /// number of entries stored before these requests.
    fn observe(&self, capacity: u64, entries: u64, requests: &[ObservedRequest]);
}

/// A request for an entry, or an entry that was stored without a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedRequest {
    /// What happened.
    pub kind: ObservedKind,
    /// The fingerprint of the cache key; see `entry` in `wit/policy/eviction.wit`, as for the following fields.
    pub fingerprint: u64,
    /// The space on disk that the entry takes up, in bytes.
    pub size: u64,
    /// When it happened, in milliseconds since 1970.
    pub at: u64,
    /// How long the fetch took, in milliseconds. 0 if unknown.
    pub cost: u32,
    /// The number of requests that were waiting for the fetch, not counting the one that started it.
    pub waiters: u32,
    /// The kind of media.
    pub media: MediaKind,
}

/// What was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObservedKind {
    /// A request for a stored entry.
    Hit,
    /// A request for an entry that was not stored. It has been fetched.
    Miss,
    /// An entry that was stored without a fetch.
    Put,
    /// An entry that was stored before the cache was opened. They come from the least to the most recently used.
    Restored,
}

impl ObservedRequest {
    fn of(kind: ObservedKind, entry: &Entry, at: u64) -> Self {
        let Entry { fingerprint, size, cost, waiters, kind: media, .. } = *entry;
        Self { kind, fingerprint, size, at, cost, waiters, media }
    }
}

/// The observer, for the policy of one instance of the cache component.
#[derive(Default)]
pub(crate) struct Observed {
    observer: Option<Arc<dyn RequestObserver>>,
    /// Whether entries that the instance restores are passed on.
    restores: bool,
    /// Reused for each call.
    requests: Vec<ObservedRequest>,
}

/// The observer, for all instances of the cache component.
#[derive(Clone, Default)]
pub(crate) struct SharedObserver {
    observer: Option<Arc<dyn RequestObserver>>,
    has_instance: Arc<AtomicBool>,
}

impl SharedObserver {
    pub fn new(observer: Arc<dyn RequestObserver>) -> Self {
        Self { observer: Some(observer), has_instance: Arc::default() }
    }

    /// The observer for another instance. Only the first one restores entries that the observer does not know.
    pub fn of_instance(&self) -> Observed {
        let restores = !self.has_instance.swap(true, Ordering::Relaxed);
        Observed { observer: self.observer.clone(), restores, requests: Vec::new() }
    }
}

impl Observed {
    /// Passes entries on that were restored, coldest first.
    pub(super) fn restored(&mut self, capacity: u64, log: &ResidencyLog, entries: &[Entry]) {
        if self.restores && self.observer.is_some() && log.is_on_disk() {
            self.requests.extend(entries.iter().map(|entry| ObservedRequest::of(ObservedKind::Restored, entry, entry.accessed_at)));
            self.flush(capacity, log);
        }
    }

    /// Passes on the events and the candidate of a call to the policy. The log does not contain them yet.
    pub(super) fn called(&mut self, capacity: u64, log: &ResidencyLog, events: &[Event], candidate: Option<&Entry>) {
        if self.observer.is_none() || !candidate.map_or_else(|| log.is_on_disk(), |entry| entry.size > 1) {
            return;
        }
        for event in events {
            if let Event::Accessed(access) = event
                && let Some(entry) = log.entry(access.id)
            {
                // Nothing waits for a hit.
                let entry = Entry { waiters: 0, ..entry };
                self.requests.push(ObservedRequest::of(ObservedKind::Hit, &entry, access.at));
            }
        }
        if let Some(entry) = candidate {
            // The cost of a fetch is at least 1.
            let kind = if entry.cost > 0 { ObservedKind::Miss } else { ObservedKind::Put };
            self.requests.push(ObservedRequest::of(kind, entry, entry.accessed_at));
        }
        self.flush(capacity, log);
    }

    fn flush(&mut self, capacity: u64, log: &ResidencyLog) {
        // A component that has been replaced may report anything.
        self.requests.retain(|request| request.size > 1);
        if let Some(observer) = self.observer.as_ref().filter(|_| !self.requests.is_empty()) {
            observer.observe(capacity, log.len() as u64, &self.requests);
        }
        self.requests.clear();
    }
}
