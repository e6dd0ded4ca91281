//! What a cache tells of itself: its entries, its counters, and the snapshot that it leaves for the next start.

use crate::bindings::exports::media_cache::cache::cache::{Listed, Page, Stats, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::cache::Cache;
use crate::digest::SNAPSHOT;
use crate::disk::describe;
use crate::single_flight::Part;
use crate::snapshot;
use crate::state::State;

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
                mimetype: entry.mimetype.clone(),
                filename: entry.filename.clone(),
                size: entry.size,
                disk_size: entry.disk_size(),
                stored_at: entry.stored_at,
                accessed_at: entry.accessed_at,
                hits: entry.hits,
                resident: entry.resident.is_some(),
            })
            .collect();
        Page { entries, next }
    }

    /// See the WIT.
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        self.ensure_loaded().await?;
        // One at a time, since they write by the same name; and each by itself, since each knows more than the one before.
        let lead = loop {
            match self.checkpoints.join(&()) {
                Part::Lead(lead) => break lead,
                Part::Follow(written) => drop(written.await),
            }
        };
        let text = {
            let index = &self.state.borrow().index;
            let entries = index.coldest_first().filter_map(|slot| index.get(slot)).filter(|entry| entry.committed);
            snapshot::write(entries)
        };
        let disk = self.disk.borrow().clone();
        let disk = disk.ok_or_else(|| StoreError::Disk("the directory is not open".into()))?;
        let written = disk.write(SNAPSHOT.into(), &Blob::from_bytes(&text)).await;
        lead.finish(|| ());
        written.map_err(|error| StoreError::Disk(format!("cannot write {}: {}", SNAPSHOT, describe(&error))))
    }

    /// See the WIT.
    pub fn stats(&self) -> Stats {
        let state = self.state.borrow();
        let State { index, ranking, memory, counters, .. } = &*state;
        let (rejected, shortfalls) = memory.policy_faults();
        Stats {
            entries: index.len() as u64,
            resident_entries: memory.items().into(),
            media_bytes: index.media_bytes(),
            disk_bytes: index.disk_bytes(),
            max_disk_bytes: self.settings.max_disk_bytes,
            memory_bytes: memory.bytes(),
            max_memory_bytes: self.settings.max_memory_bytes,
            max_memory_items: self.settings.max_memory_items,
            hits: counters.hits,
            disk_hits: counters.disk_hits,
            misses: counters.misses,
            joined: counters.joined,
            remembered_failures: counters.remembered_failures,
            downloads: counters.downloads,
            download_failures: counters.download_failures,
            stored: counters.stored,
            evictions: counters.evictions,
            memory_evictions: memory.evictions(),
            refused: counters.refused,
            oversize: counters.oversize,
            store_failures: counters.store_failures,
            damaged: counters.damaged,
            transcoded: counters.transcoded,
            transcode_failures: counters.transcode_failures,
            policy_rejected: ranking.rejected + rejected,
            policy_shortfalls: ranking.shortfalls + shortfalls,
        }
    }
}
