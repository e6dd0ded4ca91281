//! The counters of the cache. A new counter needs a line here and a field in the WIT.

use crate::bindings::exports::media_cache::cache::cache::Stats;

/// Declares the counters. The index log stores them in this order, so new ones must be added at the end.
macro_rules! counters {
    ($($name:ident,)+) => {
        /// Counters; see `stats` in the WIT.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Counters {
            $(#[allow(missing_docs, reason = "documented in the WIT")] pub $name: u64,)+
        }

        impl Counters {
            /// All values, in order.
            #[must_use]
            pub fn values(&self) -> Vec<u64> {
                vec![$(self.$name,)+]
            }

            /// The counters in `stats`.
            #[must_use]
            pub fn from(stats: &Stats) -> Self {
                Self { $($name: stats.$name,)+ }
            }

            /// Adds values, which are in the order of the counters. Missing values count as 0.
            pub fn add(&mut self, values: &[u64]) {
                let mut values = values.iter();
                $(self.$name = self.$name.saturating_add(values.next().copied().unwrap_or(0));)+
            }

            /// The counters as `stats`, with 0 for all other fields.
            #[must_use]
            pub fn stats(&self) -> Stats {
                Stats {
                    $($name: self.$name,)+
                    entries: 0,
                    resident_entries: 0,
                    media_bytes: 0,
                    disk_bytes: 0,
                    max_disk_bytes: 0,
                    max_entry_bytes: 0,
                    other_disk_bytes: 0,
                    memory_bytes: 0,
                    max_memory_bytes: 0,
                    max_memory_items: 0,
                    open_files: 0,
                    max_open_files: 0,
                }
            }
        }
    };
}

counters! {
    hits,
    disk_hits,
    misses,
    coalesced,
    remembered_failures,
    downloads,
    download_failures,
    stored,
    evictions,
    memory_evictions,
    refused,
    oversize,
    no_store,
    store_failures,
    damaged,
    refreshes_modified,
    refreshes_unmodified,
    refresh_failures,
    transcoded,
    transcode_failures,
    policy_rejected_ids,
    policy_shortfalls,
    not_ready,
}

impl Counters {
    /// Counts entries that are evicted from disk.
    pub fn count_evictions(&mut self, entries: usize) {
        self.evictions += entries as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_restored_from_their_values() {
        let counters = Counters { hits: 3, policy_shortfalls: 9, ..Counters::default() };
        let mut restored = Counters { hits: 1, ..Counters::default() };
        restored.add(&counters.values());
        assert_eq!(restored, Counters { hits: 4, policy_shortfalls: 9, ..Counters::default() });
        restored.add(&[1]);
        assert_eq!((restored.hits, restored.policy_shortfalls), (5, 9));
    }
}
