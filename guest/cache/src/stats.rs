//! Reports counters and current values.

use crate::bindings::exports::media_cache::cache::cache::Stats;
use crate::cache::Cache;
use crate::state::State;

impl Cache {
    /// See the WIT.
    pub fn stats(&self) -> Stats {
        let state = self.state.borrow();
        let State { index, disk_tier, memory_tier, counters, .. } = &*state;
        let (rejected, shortfalls) = memory_tier.policy_faults();
        Stats {
            entries: index.len() as u64,
            resident_entries: memory_tier.items().into(),
            media_bytes: index.media_bytes(),
            disk_bytes: index.disk_bytes(),
            max_disk_bytes: self.settings.max_disk_bytes,
            memory_bytes: memory_tier.bytes(),
            max_memory_bytes: self.settings.max_memory_bytes,
            max_memory_items: self.settings.max_memory_items,
            memory_evictions: memory_tier.evictions(),
            policy_rejected_ids: disk_tier.rejected + rejected,
            policy_shortfalls: disk_tier.shortfalls + shortfalls,
            ..counters.stats()
        }
    }
}
