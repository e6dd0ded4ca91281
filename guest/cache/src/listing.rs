//! Lists entries in pages.

use crate::bindings::exports::media_cache::cache::cache::{Listed, Page};
use crate::cache::Cache;

impl Cache {
    /// See the WIT.
    pub async fn entries(&self, after: Option<u64>, limit: u32) -> Page {
        let _ = self.ensure_loaded().await;
        let state = &mut *self.state.borrow_mut();
        let (slots, next) = state.index.page(after, limit.max(1) as usize);
        let committed = slots.into_iter().filter_map(|slot| state.index.get(slot)).filter(|entry| entry.committed);
        let entries = committed
            .map(|entry| Listed {
                url: entry.url.clone(),
                mimetype: entry.metadata.mimetype.clone(),
                filename: entry.metadata.filename.clone(),
                size: entry.size,
                disk_size: entry.disk_size(),
                stored_at: entry.metadata.stored_at,
                accessed_at: entry.accessed_at,
                hits: entry.hits,
                resident: entry.resident.is_some(),
            })
            .collect();
        Page { entries, next }
    }
}
