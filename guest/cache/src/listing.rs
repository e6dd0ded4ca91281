//! Lists entries in pages.

use media_cache_entry_files::LARGEST_SIDECAR;

use crate::bindings::exports::media_cache::cache::cache::{Listed, Page};
use crate::cache::Cache;
use crate::disk::blames_the_file;
use crate::entry::Entry;
use crate::sidecar_file::{StampedSidecar, parse_sidecar};

impl Cache {
    /// Implements `entries`, which the WIT documents.
    pub async fn entries(&self, after: Option<u64>, limit: u32) -> Page {
        let _ = self.ensure_loaded().await;
        let (entries, next) = self.page(after, limit);
        let Ok(disk) = self.open_disk() else { return Page { entries: Vec::new(), next: None } };
        // The sidecars contain the remaining data. An entry whose sidecar cannot be read is omitted, and the health reports the failure.
        let names = entries.iter().map(|(entry, _)| entry.digest.sidecar_file()).collect();
        let sidecars = disk.read_small(names, LARGEST_SIDECAR as u32).await;
        let described = entries.iter().zip(sidecars).filter_map(|((entry, resident), content)| match content {
            Ok(content) => Some(listed(entry, parse_sidecar(&content, entry.digest)?, *resident)),
            Err(error) if blames_the_file(&error) => None,
            Err(error) => {
                self.state.borrow_mut().read_failed(entry.digest, &entry.digest.sidecar_file(), &error);
                None
            }
        });
        Page { entries: described.collect(), next }
    }

    fn page(&self, after: Option<u64>, limit: u32) -> (Vec<(Entry, bool)>, Option<u64>) {
        let state = &mut *self.state.borrow_mut();
        let (slots, next) = state.index.page(after, limit.max(1) as usize);
        let stored = slots.into_iter().filter_map(|slot| Some((slot, state.index.get(slot).filter(|entry| entry.is_stored())?)));
        (stored.map(|(slot, entry)| (entry.clone(), state.memory_tier.get(slot).is_some())).collect(), next)
    }
}

fn listed(entry: &Entry, (sidecar, _): StampedSidecar, resident: bool) -> Listed {
    Listed {
        mimetype: sidecar.metadata.mimetype.clone(),
        filename: sidecar.metadata.filename.clone(),
        stored_at: sidecar.metadata.stored_at,
        url: sidecar.url,
        size: entry.size,
        disk_size: entry.disk_size(),
        accessed_at: entry.accessed_at,
        hits: entry.hits.into(),
        resident,
    }
}
