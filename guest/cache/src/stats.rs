//! Reports counters and current values.

use crate::bindings::exports::media_cache::cache::cache::Stats;
use crate::cache::Cache;

impl Cache {
    /// Implements `stats`, which the WIT documents.
    pub fn stats(&self) -> Stats {
        let state = self.state.borrow();
        Stats {
            entries: state.index.len() as u64,
            resident_entries: state.memory_tier.items().into(),
            media_bytes: state.index.media_bytes(),
            disk_bytes: state.disk_bytes(),
            max_disk_bytes: self.settings.max_disk_bytes,
            max_entry_bytes: self.settings.max_entry_bytes(),
            other_disk_bytes: self.other_disk_bytes(),
            memory_bytes: state.memory_tier.bytes(),
            max_memory_bytes: self.settings.max_memory_bytes,
            max_memory_items: self.settings.max_memory_items,
            open_files: state.memory_tier.open_files(),
            max_open_files: self.settings.max_open_files,
            ..state.all_counters().stats()
        }
    }
}
