//! Records hits that the host served without calling the component.

use crate::bindings::exports::media_cache::cache::cache::{Hit, Source};
use crate::cache::Cache;
use crate::clock;

impl Cache {
    /// Implements `record-hits`, which the WIT documents.
    pub fn record_hits(&self, hits: &[Hit]) {
        let (state, now) = (&mut *self.state.borrow_mut(), clock::now());
        for hit in hits.iter().filter(|hit| hit.source != Source::Origin) {
            state.record_hit(Some(hit.handle), hit.source, now);
            if hit.source == Source::Disk {
                state.used_file(hit.handle);
            }
        }
    }
}
