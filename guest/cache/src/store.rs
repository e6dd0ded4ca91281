//! Storing an entry: a place first, then the media, then the sidecar, which commits it. And removing the files of those that left.

use futures::channel::oneshot;

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::eviction::{Entry as Ranked, EntryId};
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::digest::Key;
use crate::disk::{Disk, describe};
use crate::eviction_tier::{GivenUp, Policy, Tier, Verdict};
use crate::fetched_media::Brought;
use crate::index::{Entry, Index, Slot, disk_size};
use crate::memory_tier::Memory;
use crate::sidecar::{self, Sidecar};
use crate::single_flight::Part;
use crate::state::State;

impl Cache {
    /// Stores media and answers with its ticket. Room is made before anything is written, so that the budget holds at all times.
    pub(crate) async fn store(&self, url: &str, key: Key, brought: &Brought) -> Result<u64, StoreError> {
        let disk = self.disk.borrow().clone().ok_or_else(|| StoreError::Disk("the directory is not open".into()))?;
        let digest = brought.body.digest().await.map_err(|error| failed("read what is to be stored", &error))?;
        let sidecar = Sidecar {
            url: url.into(),
            mimetype: brought.mimetype.clone(),
            filename: brought.filename.clone(),
            stored_at: brought.stored_at,
            size: brought.body.size(),
            digest: digest.try_into().ok(),
        };
        let json = sidecar.to_json();
        if json.len() as u64 > sidecar::LARGEST {
            let why = format!("what is known of it takes {} bytes, and {} is the most", json.len(), sidecar::LARGEST);
            return Err(StoreError::Disk(why));
        }
        let (budget, disk_size) = (self.settings.max_disk_bytes, disk_size(sidecar.size, json.len() as u64));
        if disk_size > budget {
            return Err(StoreError::Oversize(budget));
        }
        // Nobody can give up what is just being written: where that leaves too little, some of it has to be done first. And files of
        // the same name that are on their way out have to be gone.
        while let Some(changed) = self.wait_for_room(disk_size).or_else(|| self.leaving.follow(&key)) {
            let _ = changed.await;
        }
        let (place, victims) = self.take_place(key, sidecar, json.len() as u64, disk_size);
        self.discard(victims).await;
        let place = place?;
        let json = Blob::from_bytes(&json);
        let mut written = write(&disk, key, &brought.body, &json).await;
        if matches!(written, Err(ErrorCode::InsufficientSpace | ErrorCode::Quota)) {
            // The disk has less room than the budget allows. What this entry needs, others may give up.
            let victims = self.make_room(place.disk_size);
            self.discard(victims).await;
            written = write(&disk, key, &brought.body, &json).await;
        }
        if let Err(error) = written {
            drop(place);
            self.discard([key]).await;
            return Err(failed("store the entry", &error));
        }
        let at_hand = self.at_hand(&disk, key, &brought.body).await;
        Ok(place.commit(at_hand))
    }

    /// Tells of the next change where entries that are being written leave less room than this.
    fn wait_for_room(&self, disk_size: u64) -> Option<oneshot::Receiver<()>> {
        let writing = &mut self.state.borrow_mut().writing;
        if writing.bytes.saturating_add(disk_size) <= self.settings.max_disk_bytes {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        writing.waiting.push(sender);
        Some(receiver)
    }

    /// Takes a place in the index for an entry that is still to be written, and says whose files are to go for it.
    fn take_place(
        &self,
        key: Key,
        sidecar: Sidecar,
        sidecar_size: u64,
        disk_size: u64,
    ) -> (Result<Place<'_>, StoreError>, Vec<Key>) {
        let State { index, ranking, memory, counters, writing, .. } = &mut *self.state.borrow_mut();
        if index.find(&key).is_some() {
            return (Err(StoreError::Disk("it is stored already, and cannot be read just now".into())), Vec::new());
        }
        let slot = index.insert(Entry {
            key,
            url: sidecar.url,
            mimetype: sidecar.mimetype,
            filename: sidecar.filename,
            size: sidecar.size,
            sidecar_size,
            stored_at: sidecar.stored_at,
            accessed_at: sidecar.stored_at,
            hits: 0,
            digest: sidecar.digest,
            committed: false,
            resident: None,
        });
        let candidate = ranked(index, slot);
        let needed = index.disk_bytes().saturating_sub(self.settings.max_disk_bytes);
        let mut stored = Stored { index, memory, gone: Vec::new() };
        let verdict = ranking.place(candidate, needed, &mut stored);
        let gone = stored.gone;
        counters.evictions += gone.len() as u64;
        let place = match verdict {
            Verdict::Admitted => {
                writing.bytes += disk_size;
                Ok(Place { cache: self, slot, disk_size, committed: false })
            }
            Verdict::Refused => Err(StoreError::Refused),
            Verdict::NoRoom => Err(StoreError::Disk("all room is taken by entries that are just being written".into())),
        };
        if place.is_err() {
            index.remove(slot);
        }
        (place, gone)
    }

    /// Evicts entries of this many bytes, as far as there are any, and says which files are to go.
    pub(crate) fn make_room(&self, bytes: u64) -> Vec<Key> {
        let State { index, ranking, memory, counters, .. } = &mut *self.state.borrow_mut();
        let mut stored = Stored { index, memory, gone: Vec::new() };
        ranking.evict(bytes, &mut stored);
        counters.evictions += stored.gone.len() as u64;
        stored.gone
    }

    /// Removes the files of entries that left the index: the sidecar first, since without it there is no entry.
    ///
    /// A file that cannot be removed is left: it is found again at the next start.
    pub(crate) async fn discard(&self, keys: impl IntoIterator<Item = Key>) {
        // All of them are on their way out from this moment: nobody may write by their names while the first ones go.
        let leaving: Vec<_> = keys.into_iter().map(|key| (key, self.leaving.join(&key))).collect();
        let Some(disk) = self.disk.borrow().clone() else { return };
        for (key, part) in leaving {
            // Whoever removes the same files already does all that there is to do.
            if let Part::Lead(lead) = part {
                let _ = disk.remove(key.sidecar_file()).await;
                let _ = disk.remove(key.media_file()).await;
                lead.finish(|| ());
            }
        }
    }

    /// The bytes as they are kept at hand: in memory, or else the file that was just written, whatever they were in before.
    async fn at_hand(&self, disk: &Disk, key: Key, body: &Blob) -> Option<Blob> {
        if body.in_memory() && self.state.borrow().memory.takes_in(body.size()) {
            return Some(body.share());
        }
        disk.read(key.media_file()).await.ok()
    }
}

async fn write(disk: &Disk, key: Key, media: &Blob, sidecar: &Blob) -> Result<(), ErrorCode> {
    disk.write(key.media_file(), media).await?;
    disk.write(key.sidecar_file(), sidecar).await
}

fn failed(what: &str, error: &ErrorCode) -> StoreError {
    StoreError::Disk(format!("cannot {what}: {}", describe(error)))
}

/// An entry as the policy for the disk sees it.
pub(crate) fn ranked(index: &Index<Blob>, slot: Slot) -> Ranked {
    let entry = index.get(slot);
    Ranked {
        id: slot.into(),
        fingerprint: entry.map_or(0, |entry| entry.key.fingerprint()),
        size: entry.map_or(0, Entry::disk_size),
        hits: entry.map_or(0, |entry| entry.hits),
        accessed_at: entry.map_or(0, |entry| entry.accessed_at),
    }
}

/// A place in the index for an entry that is being written. Given back when it is dropped without having been committed, which is
/// also what happens when the one who writes is cancelled.
struct Place<'a> {
    cache: &'a Cache,
    slot: Slot,
    disk_size: u64,
    committed: bool,
}

impl Place<'_> {
    /// Both files are there: the entry can be had from now on.
    fn commit(mut self, at_hand: Option<Blob>) -> u64 {
        self.committed = true;
        let state = &mut *self.cache.state.borrow_mut();
        state.writing.done(self.disk_size);
        state.counters.stored += 1;
        if let Some(entry) = state.index.get_mut(self.slot) {
            entry.committed = true;
        }
        if let Some(blob) = at_hand {
            state.memory.keep(&mut state.index, self.slot, blob);
        }
        state.index.ticket(self.slot)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.committed {
            let state = &mut *self.cache.state.borrow_mut();
            state.drop_entry(self.slot);
            state.writing.done(self.disk_size);
        }
    }
}

/// The entries on disk.
struct Stored<'a, P> {
    index: &'a mut Index<Blob>,
    memory: &'a mut Memory<P>,
    /// Whose files are to go.
    gone: Vec<Key>,
}

impl<P: Policy> Tier for Stored<'_, P> {
    fn give_up(&mut self, id: EntryId) -> GivenUp {
        let slot = Slot::try_from(id).unwrap_or(Slot::MAX);
        match self.index.get(slot) {
            None => GivenUp::Unknown,
            Some(entry) if !entry.committed => GivenUp::Kept(ranked(self.index, slot)),
            Some(_) => self.index.remove(slot).map_or(GivenUp::Unknown, |entry| {
                let freed = entry.disk_size();
                self.gone.push(entry.key);
                self.memory.forget(slot, entry.resident);
                GivenUp::Freed(freed)
            }),
        }
    }

    fn coldest(&self) -> Option<EntryId> {
        let committed = |slot: &Slot| self.index.get(*slot).is_some_and(|entry| entry.committed);
        self.index.coldest_first().find(committed).map(EntryId::from)
    }
}
