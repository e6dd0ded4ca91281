//! What a cache knows, and the few steps that change both tiers at once.

use futures::channel::oneshot;

use crate::bindings::exports::media_cache::cache::cache::Source;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::downloader::FetchError;
use crate::bindings::media_cache::cache::eviction::Policy;
use crate::clock;
use crate::digest::Key;
use crate::eviction_tier::Ranking;
use crate::failure_memory::Failures;
use crate::index::{Entry, Index, Slot};
use crate::memory_tier::Memory;

/// What changes.
pub(crate) struct State {
    pub index: Index<Blob>,
    pub ranking: Ranking<Policy>,
    pub memory: Memory<Policy>,
    pub failures: Failures<FetchError>,
    pub counters: Counters,
    pub writing: Writing,
}

/// Counters since the start; see `stats` in the WIT.
#[derive(Default)]
pub(crate) struct Counters {
    pub hits: u64,
    pub disk_hits: u64,
    pub misses: u64,
    pub joined: u64,
    pub remembered_failures: u64,
    pub downloads: u64,
    pub download_failures: u64,
    pub stored: u64,
    pub evictions: u64,
    pub refused: u64,
    pub oversize: u64,
    pub store_failures: u64,
    pub damaged: u64,
    pub transcoded: u64,
    pub transcode_failures: u64,
}

/// What is being written, and who waits for it to be done.
#[derive(Default)]
pub(crate) struct Writing {
    /// What they take up on disk.
    pub bytes: u64,
    /// Told of the next change.
    pub waiting: Vec<oneshot::Sender<()>>,
}

impl Writing {
    /// One of so many bytes is done.
    pub fn done(&mut self, bytes: u64) {
        self.bytes -= bytes;
        for waiting in self.waiting.drain(..) {
            // Whoever went away does not wait any more.
            let _ = waiting.send(());
        }
    }
}

impl State {
    /// Makes an entry the most recently used, if it is still there. For the tier in memory it was asked for only if it was found
    /// there: one that was read back has just been placed.
    pub fn touch(&mut self, ticket: u64, source: Source) -> Option<&mut Entry<Blob>> {
        let slot = self.index.redeem(ticket)?;
        let now = clock::now();
        self.index.promote(slot);
        self.ranking.accessed(slot.into(), now);
        let entry = self.index.get_mut(slot)?;
        entry.accessed_at = now;
        if source == Source::Memory && entry.resident.is_some() {
            self.memory.accessed(slot, now);
        }
        Some(entry)
    }

    /// Takes an entry out of both tiers, and says which files are to go.
    pub fn drop_entry(&mut self, slot: Slot) -> Option<Key> {
        let entry = self.index.remove(slot)?;
        self.memory.forget(slot, entry.resident);
        self.ranking.removed(slot.into());
        Some(entry.key)
    }
}
