//! The second tier: an object store that all nodes share.

use media_cache::policy::Entry;

use crate::cluster::cluster_counts::TierCounts;
use crate::resident_set::ResidentSet;
use crate::simulated_cache::ObjectRequest;

/// The contents of an object store that is trimmed to a size by the age of the last use.
///
/// Nodes report what they used, so a hit on a node is a use of the object in the tier as well. Real nodes report once an hour, and a trim runs
/// from time to time; here, both happen at once.
pub(crate) struct SharedTier {
    size: u64,
    stored: ResidentSet,
    /// The number of uses so far, which orders the objects.
    clock: u64,
    counts: TierCounts,
    peak_bytes: u64,
}

impl SharedTier {
    /// An empty tier of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self { size, stored: ResidentSet::default(), clock: 0, counts: TierCounts::default(), peak_bytes: 0 }
    }

    /// Records that a node served a request itself.
    pub fn record_use(&mut self, request: &ObjectRequest) {
        self.access(request);
    }

    /// Looks up an object that a node missed. Returns whether it is stored.
    pub fn look_up(&mut self, request: &ObjectRequest) -> bool {
        let is_hit = self.access(request);
        self.counts.lookups += 1;
        if is_hit {
            self.counts.hits += 1;
            self.counts.bytes_read += request.size;
        }
        is_hit
    }

    /// Stores an object that a node fetched from its origin, unless it is larger than the tier, and deletes the least recently used objects
    /// that no longer fit.
    pub fn store(&mut self, request: &ObjectRequest) {
        let size = request.size;
        if size > self.size {
            return;
        }
        while self.stored.used_space() > self.size - size {
            let Some(oldest) = self.stored.least_recently_used() else { break };
            self.stored.remove(oldest);
        }
        let id = self.stored.reserve_id();
        let ObjectRequest { fingerprint, at, cost, kind, .. } = *request;
        let entry = Entry { id, fingerprint, size, hits: 0, accessed_at: at, cost, waiters: 0, kind };
        self.stored.insert(&entry, size, self.clock);
        self.clock += 1;
        self.counts.bytes_written += size;
        self.peak_bytes = self.peak_bytes.max(self.stored.used_space());
    }

    /// The counts so far.
    pub fn counts(&self) -> TierCounts {
        self.counts
    }

    /// The largest number of bytes stored so far.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    fn access(&mut self, request: &ObjectRequest) -> bool {
        self.clock += 1;
        self.stored.access(request.fingerprint, self.clock - 1, request.at).is_some()
    }
}
