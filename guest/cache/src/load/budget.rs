//! Evicts what exceeds the budget at the start, in slices between which other calls proceed.

use crate::bindings::exports::media_cache::cache::cache::LoadReport;
use crate::cache::Cache;

/// The bytes that are evicted at a time, at least.
const SLICE: u64 = 1 << 20;

impl Cache {
    /// Evicts entries until what is stored is within the budget.
    pub(super) async fn evict_to_budget(&self, report: &mut LoadReport) {
        loop {
            let excess = self.state.borrow().disk_bytes().saturating_sub(self.settings.max_disk_bytes);
            if excess == 0 {
                return;
            }
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
