//! Counters of the component, taken from each other. A new counter has its name here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::media::Stats;

/// What the component had counted when it was asked last, for an instance that has to go on without having been handed that over.
#[derive(Default)]
pub(crate) struct Counted(Mutex<Option<Stats>>);

impl Counted {
    /// Notes what was counted.
    pub fn note(&self, stats: &Stats) {
        *self.lock() = Some(*stats);
    }

    /// Nothing of it matters to the next instance.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// What is known.
    pub fn last(&self) -> Option<Stats> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stats>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was counted between two times, in the counters of the earlier and of the later one. Current values are those of the later one.
pub(crate) fn counted_since(before: &Stats, after: &Stats) -> Stats {
    macro_rules! since {
        (counters: $($counter:ident)+, current: $($value:ident)+) => {
            Stats { $($counter: after.$counter.saturating_sub(before.$counter),)+ $($value: after.$value,)+ }
        };
    }
    since!(
        counters: hits disk_hits misses coalesced remembered_failures downloads download_failures stored evictions memory_evictions
        refused oversize no_store not_ready store_failures damaged refreshes_modified refreshes_unmodified refresh_failures transcoded
        transcode_failures policy_rejected_ids policy_shortfalls,
        current: entries resident_entries media_bytes disk_bytes other_disk_bytes max_disk_bytes max_entry_bytes memory_bytes
        max_memory_bytes max_memory_items open_files max_open_files
    )
}
