//! Verifies entries from the index log and the listing: an entry exists if its sidecar is valid and its media has the size that the sidecar
//! states.

use std::ops::Range;

use futures::future::join;
use media_cache_entry_files::{KeyDigest, LARGEST_SIDECAR};

use crate::bindings::exports::media_cache::cache::cache::LoadReport;
use crate::bindings::media_cache::cache::storage::FileContent;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, blames_the_file, describe};
use crate::disk_health::Operation;
use crate::entry::{Entry, EntryState, Evicted, FoundFiles};
use crate::index::{self, Slot};
use crate::load::by_time::{ByTime, Sorted};
use crate::load::order::Found;
use crate::mutants::Mutant;
use crate::sidecar_file::{StampedSidecar, parse_sidecar};
use crate::state::State;

/// The number of slots that are visited at a time.
const SLICE: Slot = 2048;

/// The number of sidecars that are read at a time.
const BATCH: usize = 256;

/// An entry whose sidecar has to be read.
struct Unread {
    handle: u64,
    digest: KeyDigest,
}

/// An entry, and the content of its sidecar.
type ReadSidecar = (Unread, Result<FileContent, ErrorCode>);

impl Cache {
    /// Verifies all entries in the index. Returns those that are not in the index log, which have no place in the order of use yet.
    pub(super) async fn verify_all(&self, disk: &Disk, report: &mut LoadReport) -> Found {
        let mut unread = ByTime::default();
        let mut start: Slot = 0;
        while start < self.state.borrow().index.slot_count() {
            let end = start.saturating_add(SLICE);
            let incomplete = self.state.borrow_mut().verify_slots(start..end, &mut unread);
            let mut damaged = Vec::new();
            for entry in incomplete {
                // The listing may have seen only one of the two files because they were being written.
                match size_of_both(disk, entry.digest).await {
                    Ok(Some(size)) => self.state.borrow_mut().found_both(entry.handle, size, &mut unread),
                    Ok(None) => damaged.push(entry.handle),
                    Err(error) => self.state.borrow_mut().set_aside(entry.handle, &error),
                }
            }
            self.drop_damaged_files(damaged, report).await;
            start = end;
            wit_bindgen::yield_async().await;
        }
        self.verify_unread(disk, unread.into_sorted(), report).await
    }

    /// Verifies entries by their sidecars, in the order in which these were written. Files that were written in succession are close to
    /// each other on disk, so reading them in that order is several times faster.
    async fn verify_unread(&self, disk: &Disk, mut unread: Sorted, report: &mut LoadReport) -> Found {
        let mut found = Found::default();
        let mut read = Vec::new();
        while !unread.is_empty() || !read.is_empty() {
            let next = self.state.borrow().next_unread(&mut unread);
            // The host reads the next sidecars while these are checked.
            let check = async { self.check_sidecars(read, &mut found) };
            let (next, damaged) = join(read_sidecars(disk, next), check).await;
            read = next;
            self.drop_damaged_files(damaged, report).await;
            wit_bindgen::yield_async().await;
        }
        found
    }

    /// Accepts all entries as the index log describes them. Returns their number.
    pub(crate) async fn trust_log(&self) -> u64 {
        let mut start: Slot = 0;
        while start < self.state.borrow().index.slot_count() {
            let end = start.saturating_add(index::SLICE);
            self.state.borrow_mut().trust_slots(start..end);
            start = end;
            wit_bindgen::yield_async().await;
        }
        self.state.borrow().index.len() as u64
    }

    /// Removes damaged entries that have not been requested in the meantime.
    async fn drop_damaged_files(&self, damaged: Vec<u64>, report: &mut LoadReport) {
        let files: Vec<Evicted> = {
            let state = &mut *self.state.borrow_mut();
            damaged.into_iter().filter_map(|handle| state.take_unverified(handle)).collect()
        };
        report.damaged += files.len() as u64;
        self.delete_evicted(files).await;
    }

    /// Checks entries by their sidecars. Returns those that are damaged.
    fn check_sidecars(&self, sidecars: Vec<ReadSidecar>, found: &mut Found) -> Vec<u64> {
        let mut damaged = Vec::new();
        for (Unread { handle, digest }, content) in sidecars {
            let is_damaged = match content {
                Ok(content) => {
                    let sidecar = parse_sidecar(&content, digest);
                    // This sidecar is new, or differs from its description in the index.
                    Mutant::TrustsTheIndex.is_on()
                        || !sidecar.is_some_and(|sidecar| self.state.borrow_mut().verified(handle, &sidecar, found))
                }
                Err(error) if blames_the_file(&error) => true,
                // The error says nothing about the entry, whose files are left in place until they can be read.
                Err(error) => {
                    self.state.borrow_mut().set_aside(handle, &error);
                    false
                }
            };
            if is_damaged {
                damaged.push(handle);
            }
        }
        damaged
    }
}

async fn read_sidecars(disk: &Disk, entries: Vec<Unread>) -> Vec<ReadSidecar> {
    if entries.is_empty() {
        return Vec::new();
    }
    let names = entries.iter().map(|entry| entry.digest.sidecar_file()).collect();
    let contents = disk.read_small(names, LARGEST_SIDECAR as u32).await;
    entries.into_iter().zip(contents).collect()
}

/// The size of the media, if both files of an entry exist.
async fn size_of_both(disk: &Disk, digest: KeyDigest) -> Result<Option<u64>, ErrorCode> {
    let sizes = [disk.size(digest.sidecar_file()).await, disk.size(digest.media_file()).await];
    let mut media = 0;
    for size in sizes {
        match size {
            Ok(size) => media = size,
            Err(error) if blames_the_file(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(media))
}

impl State {
    fn trust_slots(&mut self, slots: Range<Slot>) {
        for slot in slots {
            if let Some(entry) = self.index.get_mut(slot).filter(|entry| entry.state == EntryState::Unverified) {
                entry.state = EntryState::Stored;
            }
        }
    }

    /// Verifies the entries in these slots, as far as that is possible without accessing files. Returns those with a file that is missing
    /// or could not be inspected.
    fn verify_slots(&mut self, slots: Range<Slot>, unread: &mut ByTime) -> Vec<Unread> {
        let mut incomplete = Vec::new();
        for slot in slots {
            let handle = self.index.handle(slot);
            let Some(entry) = self.index.get_mut(slot).filter(|entry| entry.state == EntryState::Unverified) else { continue };
            match entry.found {
                FoundFiles { uninspected: true, .. } => incomplete.push(Unread { handle, digest: entry.digest }),
                FoundFiles { media: true, sidecar: true, differ: false, .. } if entry.logged => {
                    entry.state = EntryState::Stored;
                }
                FoundFiles { media: true, sidecar: true, .. } => unread.push(entry.sidecar_modified, slot),
                FoundFiles { media: false, sidecar: false, .. } => drop(self.index.remove(slot)),
                FoundFiles { .. } => incomplete.push(Unread { handle, digest: entry.digest }),
            }
        }
        incomplete
    }

    /// The next entries whose sidecars have to be read. Entries that were requested in the meantime are already verified and are skipped.
    fn next_unread(&self, unread: &mut Sorted) -> Vec<Unread> {
        let slots = std::iter::from_fn(|| unread.pop()).take(BATCH);
        let entries = slots.filter_map(|(_, slot)| Some((slot, self.index.get(slot)?)));
        let unverified = entries.filter(|(_, entry)| entry.state == EntryState::Unverified);
        unverified.map(|(slot, entry)| Unread { handle: self.index.handle(slot), digest: entry.digest }).collect()
    }

    /// Records that both files of an entry exist, and the size of the media.
    fn found_both(&mut self, handle: u64, size: u64, unread: &mut ByTime) {
        if let Some(slot) = self.index.resolve(handle) {
            self.index.found_media(slot, size);
            unread.push(self.index.get(slot).map_or(0, |entry| entry.sidecar_modified), slot);
        }
    }

    /// Records that an entry has this sidecar. Returns whether the sidecar is consistent with the media.
    fn verified(&mut self, handle: u64, (sidecar, stamp): &StampedSidecar, found: &mut Found) -> bool {
        let Some(slot) = self.index.resolve(handle) else { return true };
        // If the entry was requested in the meantime, it is already verified.
        let Some(known) = self.index.get(slot).filter(|entry| entry.state == EntryState::Unverified).cloned() else { return true };
        if sidecar.size != known.size {
            return false;
        }
        let entry = Entry::new(known.digest, sidecar, *stamp, EntryState::Stored);
        self.index.describe(slot, &entry);
        let Some(described) = self.index.get_mut(slot) else { return true };
        described.state = EntryState::Stored;
        if known.logged {
            // The entry keeps its place in the order of use, and its hits.
            described.accessed_at = known.accessed_at.max(entry.accessed_at);
            found.note_changed();
        } else {
            described.accessed_at = entry.accessed_at;
            found.push(entry.accessed_at, slot);
        }
        true
    }

    /// Sets aside the entry with this digest.
    pub(super) fn set_aside_digest(&mut self, digest: KeyDigest, error: &ErrorCode) {
        self.unfinished = true;
        if let Some(handle) = self.index.find(&digest).map(|slot| self.index.handle(slot)) {
            self.set_aside(handle, error);
        }
    }

    /// Sets aside an entry that cannot be read now. Its files are kept and count against the budget.
    fn set_aside(&mut self, handle: u64, error: &ErrorCode) {
        let files = self.take_unverified(handle);
        if let Some(files) = files {
            self.remains.add_unreadable(files.digest, files.disk_size);
            self.unfinished = true;
            let reason = format!("cannot read the files of {}: {}", files.digest, describe(error));
            self.disk_health.failed(Operation::Read, reason, clock::now());
            if let Some(loading) = &mut self.loading {
                loading.removed.remove(&files.digest);
            }
        }
    }

    /// Removes an entry that has not been requested in the meantime.
    fn take_unverified(&mut self, handle: u64) -> Option<Evicted> {
        let slot = self.index.resolve(handle)?;
        let entry = self.index.get(slot).filter(|entry| entry.state == EntryState::Unverified)?;
        let files = Evicted::from(entry);
        self.remove_entry(slot);
        Some(files)
    }
}
