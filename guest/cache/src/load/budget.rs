//! Evicts what exceeds the budget at the start, in slices between which other calls proceed.

use crate::bindings::exports::media_cache::cache::cache::LoadReport;
use crate::cache::Cache;

/// The bytes that are evicted at a time, at least.
const SLICE: u64 = 1 << 20;

impl Cache {
    /// Evicts entries until what is stored is within the budget.
    pub(super) async fn evict_to_budget(&self, report: &mut LoadReport) {
        let mut before = u64::MAX;
        loop {
            let stored = self.state.borrow().disk_bytes();
            let excess = stored.saturating_sub(self.settings.max_disk_bytes);
            // If nothing can be deleted, evicting more does not help.
            if excess == 0 || stored >= before {
                return;
            }
            before = stored;
            let victims = self.evict_from_disk(excess.min(SLICE));
            if victims.is_empty() {
                // The rest cannot be deleted, or is being used.
                return;
            }
            report.evicted += victims.len() as u64;
            self.delete_evicted(victims).await;
            wit_bindgen::yield_async().await;
        }
    }
}
