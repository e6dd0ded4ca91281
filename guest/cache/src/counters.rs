//! What the cache counts. A new counter has a field here and one in the WIT.

use crate::bindings::exports::media_cache::cache::cache::Stats;

/// Counters since the cache was created; see `stats` in the WIT.
#[derive(Default)]
pub(crate) struct Counters {
    pub hits: u64,
    pub disk_hits: u64,
    pub misses: u64,
    pub coalesced: u64,
    pub remembered_failures: u64,
    pub downloads: u64,
    pub download_failures: u64,
    pub stored: u64,
    pub evictions: u64,
    pub refused: u64,
    pub oversize: u64,
    pub no_store: u64,
    pub store_failures: u64,
    pub damaged: u64,
    pub refreshes_modified: u64,
    pub refreshes_unmodified: u64,
    pub refresh_failures: u64,
    pub transcoded: u64,
    pub transcode_failures: u64,
}

impl Counters {
    /// Counts entries that are evicted from disk.
    pub fn count_evictions(&mut self, entries: usize) {
        self.evictions += entries as u64;
    }

    /// The counters, with 0 for everything that is not counted here.
    pub fn stats(&self) -> Stats {
        Stats {
            hits: self.hits,
            disk_hits: self.disk_hits,
            misses: self.misses,
            coalesced: self.coalesced,
            remembered_failures: self.remembered_failures,
            downloads: self.downloads,
            download_failures: self.download_failures,
            stored: self.stored,
            evictions: self.evictions,
            refused: self.refused,
            oversize: self.oversize,
            no_store: self.no_store,
            store_failures: self.store_failures,
            damaged: self.damaged,
            refreshes_modified: self.refreshes_modified,
            refreshes_unmodified: self.refreshes_unmodified,
            refresh_failures: self.refresh_failures,
            transcoded: self.transcoded,
            transcode_failures: self.transcode_failures,
            entries: 0,
            resident_entries: 0,
            media_bytes: 0,
            disk_bytes: 0,
            max_disk_bytes: 0,
            memory_bytes: 0,
            max_memory_bytes: 0,
            max_memory_items: 0,
            memory_evictions: 0,
            policy_rejected_ids: 0,
            policy_shortfalls: 0,
        }
    }
}
