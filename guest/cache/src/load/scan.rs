//! Finds out which files exist, with one listing of the directory.

use futures::future::join;
use media_cache_entry_files::{DigestMap, FileKind, KeyDigest};

use crate::bindings::exports::media_cache::cache::cache::LoadReport;
use crate::bindings::media_cache::cache::storage::ListedFile;
use crate::cache::Cache;
use crate::disk::{Disk, describe};
use crate::entry::{Entry, EntryState};
use crate::index::{SLICE, Slot};
use crate::recovery::{NewFiles, Recovered, recover};
use crate::state::State;

/// The number of files that are listed at a time.
const PAGE: u32 = 1024;

/// Files that a listing has found and that do not belong to a complete entry.
#[derive(Default)]
struct Others {
    replacements: DigestMap<NewFiles>,
    /// Files to delete.
    leftovers: Vec<String>,
}

impl Cache {
    /// Records in the index which files exist. Returns interrupted replacements of entries.
    pub(super) async fn scan(&self, disk: &Disk, report: &mut LoadReport) -> Result<DigestMap<NewFiles>, String> {
        self.forget_earlier_scan().await;
        let failed = |error| format!("cannot list the directory: {}", describe(&error));
        let listing = disk.list().map_err(failed)?;
        let mut others = Others::default();
        let mut page = listing.next(PAGE).await.map_err(failed)?;
        while !page.is_empty() {
            // The host reads the next page in the meantime.
            let note = async { self.state.borrow_mut().found_all(page, &mut others) };
            let (next, ()) = join(listing.next(PAGE), note).await;
            page = next.map_err(failed)?;
        }
        for name in others.leftovers {
            report.leftovers += u64::from(disk.clean_up(name).await);
        }
        self.report_leftovers(disk);
        Ok(others.replacements)
    }

    /// Forgets the files that a previous, failed scan may have found.
    async fn forget_earlier_scan(&self) {
        let mut start = 0;
        while start < self.state.borrow().index.slot_count() {
            {
                let index = &mut self.state.borrow_mut().index;
                (start..start.saturating_add(SLICE)).for_each(|slot| index.forget_found(slot));
            }
            start = start.saturating_add(SLICE);
            wit_bindgen::yield_async().await;
        }
    }

    /// Completes or undoes interrupted replacements.
    pub(super) async fn recover_all(&self, disk: &Disk, replacements: DigestMap<NewFiles>, report: &mut LoadReport) {
        for (digest, new) in replacements {
            match recover(disk, digest, new).await {
                Ok(Recovered::Completed) => self.state.borrow_mut().found_anew(digest),
                Ok(Recovered::Undone(files)) => report.leftovers += files,
                // The new files and the entry are left in place until they can be read.
                Err(error) => {
                    for name in new.names(digest) {
                        disk.leave(name, &error);
                    }
                    self.state.borrow_mut().set_aside_digest(digest, &error);
                }
            }
        }
        self.report_leftovers(disk);
    }
}

impl State {
    fn found_all(&mut self, page: Vec<ListedFile>, others: &mut Others) {
        page.into_iter().for_each(|file| self.found(file, others));
    }

    fn found(&mut self, file: ListedFile, others: &mut Others) {
        match FileKind::of(&file.name) {
            kind @ (FileKind::Media(digest) | FileKind::Sidecar(digest)) => {
                let Some(slot) = self.slot_of_found(digest) else { return };
                match (kind, file.stamp) {
                    (_, None) => self.index.found_uninspected(slot),
                    (FileKind::Media(_), Some(stamp)) => self.index.found_media(slot, stamp.size),
                    (_, Some(stamp)) => self.index.found_sidecar(slot, stamp),
                }
            }
            FileKind::NewMedia(digest) => others.replacements.entry(digest).or_default().media = true,
            FileKind::NewSidecar(digest) => others.replacements.entry(digest).or_default().sidecar = true,
            FileKind::OldIndex | FileKind::Leftover => others.leftovers.push(file.name),
            FileKind::Foreign => {}
        }
    }

    /// The slot of the entry that a found file belongs to. `None` if the entry was read or removed since the start.
    fn slot_of_found(&mut self, digest: KeyDigest) -> Option<Slot> {
        match self.index.find(&digest) {
            Some(slot) => self.index.get(slot).is_some_and(|entry| entry.state == EntryState::Unverified).then_some(slot),
            None if self.loading.as_ref().is_some_and(|loading| loading.removed.contains_key(&digest)) => None,
            None => Some(self.index.insert_found(Entry::unverified(digest))),
        }
    }

    /// Records that the files of an entry have been replaced.
    fn found_anew(&mut self, digest: KeyDigest) {
        if let Some(slot) = self.index.find(&digest).filter(|slot| self.index.get(*slot).is_some_and(Entry::is_stored)) {
            self.index.remove(slot);
            self.memory_tier.release(slot);
        }
        if let Some(slot) = self.slot_of_found(digest)
            && let Some(entry) = self.index.get_mut(slot)
        {
            // The new size is not known, so both files are inspected again.
            (entry.found.media, entry.found.sidecar) = (false, true);
        }
    }
}
