//! Reserves space for an entry that is being written.

use futures::channel::oneshot;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::storage::Stamp;
use crate::bindings::media_cache::policy::eviction;
use crate::cache::Cache;
use crate::disk_tier::StoredEntries;
use crate::entry::{Entry, EntryState, Evicted};
use crate::eviction_tier::Verdict;
use crate::index::Slot;
use crate::memory_tier::Resident;
use crate::open_files::OpenFile;
use crate::state::State;

/// Space in the index and the budget for an entry that is being written. If it is dropped without being committed, for example because the
/// write is cancelled, the space is released.
pub(crate) struct Reservation<'a> {
    cache: &'a Cache,
    slot: Slot,
    disk_size: u64,
    committed: bool,
}

impl Cache {
    /// Returns a signal to wait for, if the writes in progress leave less space than this.
    pub(crate) fn wait_for_space(&self, disk_size: u64) -> Option<oneshot::Receiver<()>> {
        self.state.borrow_mut().writes.wait_for_space(disk_size, self.settings.max_entry_bytes())
    }

    /// Reserves space for an entry within a budget. Also returns the evicted entries, whose files the caller has to delete.
    pub(crate) fn reserve(&self, entry: Entry, budget: u64) -> (Result<Reservation<'_>, StoreError>, Vec<Evicted>) {
        let state = &mut *self.state.borrow_mut();
        let remains = state.remains.disk_bytes();
        let State { index, disk_tier, memory_tier, counters, writes, .. } = state;
        if index.find(&entry.digest).is_some() {
            return (Err(StoreError::Disk("the entry is already stored, but cannot be read now".into())), Vec::new());
        }
        let disk_size = entry.disk_size();
        // Its id is its slot, which is known only after the insertion.
        let candidate = entry.for_policy(0, disk_size);
        let slot = index.insert(entry);
        let candidate = eviction::Entry { id: slot.into(), ..candidate };
        let needed = index.disk_bytes().saturating_add(remains).saturating_sub(budget);
        let mut stored = StoredEntries { index, memory_tier, counters, evicted: Vec::new() };
        let verdict = disk_tier.place(candidate, needed, &mut stored);
        let evicted = stored.evicted;
        let reservation = match verdict {
            Verdict::Admitted => {
                writes.begin(disk_size);
                if let Some(entry) = index.get_mut(slot) {
                    entry.tracked = true;
                }
                Ok(Reservation { cache: self, slot, disk_size, committed: false })
            }
            Verdict::Refused => Err(StoreError::Refused),
            Verdict::NoSpace => Err(StoreError::Disk("entries that are being written take up the whole budget".into())),
        };
        if reservation.is_err() {
            index.remove(slot);
        }
        (reservation, evicted)
    }
}

impl Reservation<'_> {
    /// Makes the entry available. Both of its files have been written; `sidecar` is the version of its sidecar. Returns its handle.
    pub(crate) fn commit(mut self, sidecar: Stamp, resident: Resident, file: Option<OpenFile>) -> u64 {
        self.committed = true;
        let state = &mut *self.cache.state.borrow_mut();
        state.writes.end(self.disk_size);
        state.counters.stored += 1;
        if let Some(entry) = state.index.get_mut(self.slot) {
            (entry.state, entry.sidecar_modified) = (EntryState::Stored, sidecar.modified);
        }
        // From now on, the entry is written to the index log.
        state.index.promote(self.slot);
        if let Some(file) = file {
            state.memory_tier.keep_open(self.slot, file);
        }
        state.memory_tier.place(&state.index, self.slot, resident);
        state.index.handle(self.slot)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.committed {
            let state = &mut *self.cache.state.borrow_mut();
            state.remove_entry(self.slot);
            state.writes.end(self.disk_size);
        }
    }
}
