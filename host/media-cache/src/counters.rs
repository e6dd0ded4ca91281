//! Computes differences between counters of the component. A new counter must be listed here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::media::Stats;

/// The last known counters of the component. An instance continues with them if its predecessor could not hand over its own.
#[derive(Default)]
pub(crate) struct Counted(Mutex<Option<Stats>>);

impl Counted {
    /// Records the counters.
    pub fn note(&self, stats: &Stats) {
        *self.lock() = Some(*stats);
    }

    /// Discards the counters, since they do not apply to the next instance.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    /// The recorded counters, if any.
    pub fn last(&self) -> Option<Stats> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stats>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The difference between the counters at two times. Current values, such as the number of entries, are taken from `after`.
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
