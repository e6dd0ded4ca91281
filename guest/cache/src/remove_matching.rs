//! Removes all entries that match a filter, in slices between which other calls proceed.

use std::ops::Range;

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::{EntryFilter, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::cache::Cache;
use crate::entry::Entry;
use crate::entry_filter::Filter;
use crate::index::Slot;
use crate::state::State;

/// The number of slots that are searched at a time.
const SLICE: Slot = 256;

impl Cache {
    /// See the WIT.
    pub async fn remove_matching(&self, filter: EntryFilter) -> Result<u64, StoreError> {
        let loaded = self.ensure_loaded().await;
        let filter = Filter::try_from(filter).map_err(StoreError::InvalidUrl)?;
        if matches!(filter, Filter::All) {
            self.state.borrow_mut().failures.clear();
        }
        loaded?;
        let (mut matched, mut failed, mut reason) = (0, 0, None);
        let mut start: Slot = 0;
        // Entries keep their slots however they are used, so that one pass over the slots omits nothing.
        while start < self.state.borrow().index.slot_count() {
            let end = start.saturating_add(SLICE);
            let (removed, replacing) = self.state.borrow_mut().remove_slice(&filter, start..end);
            matched += removed.len() as u64;
            if let Err(failure) = self.delete_files(removed).await {
                failed += failure.entries;
                reason.get_or_insert(failure.reason);
            }
            match replacing {
                // Its files are being replaced, and can be deleted then.
                Some(digest) => self.wait_for_fill(&digest).await,
                None => start = end,
            }
            wit_bindgen::yield_async().await;
        }
        match reason {
            None => Ok(matched),
            Some(reason) => Err(StoreError::Disk(format!("{failed} of {matched} entries were not removed: {reason}"))),
        }
    }
}

impl Cache {
    /// Waits until nobody writes the entry.
    async fn wait_for_fill(&self, digest: &KeyDigest) {
        if let Some(written) = self.fills.follow(digest) {
            let _ = written.await;
        }
    }
}

impl State {
    /// Removes the committed entries in these slots that match, and returns whose files to delete; and one that matches and is being
    /// replaced, if there is any.
    fn remove_slice(&mut self, filter: &Filter, slots: Range<Slot>) -> (Vec<KeyDigest>, Option<KeyDigest>) {
        let is_match = |entry: &Entry<Blob>| entry.committed && filter.matches(&entry.url);
        let matching: Vec<Slot> = slots.filter(|slot| self.index.get(*slot).is_some_and(is_match)).collect();
        let replacing = matching.iter().filter_map(|slot| self.index.get(*slot)).find(|entry| entry.replacing.is_some());
        let replacing = replacing.map(|entry| entry.digest);
        let idle = |slot: &Slot| self.index.get(*slot).is_some_and(|entry| entry.replacing.is_none());
        let idle: Vec<Slot> = matching.into_iter().filter(idle).collect();
        (idle.into_iter().filter_map(|slot| self.remove_entry(slot)).collect(), replacing)
    }
}
