//! Removes all entries that match a filter, in slices. Between slices, other calls proceed, and the cache may go on standby.

use std::ops::Range;

use media_cache_entry_files::{KeyDigest, LARGEST_SIDECAR};

use crate::bindings::exports::media_cache::cache::cache::{EntryFilter, Removal, StoreError};
use crate::cache::Cache;
use crate::disk::{blames_the_file, describe};
use crate::entry::Evicted;
use crate::entry_filter::Filter;
use crate::index::Slot;
use crate::sidecar_file::{parse_sidecar, read_sidecar};
use crate::state::State;

/// The number of index slots, or of leftover files, that are searched at a time.
const SLICE: Slot = 256;

/// An entry that may match.
struct Candidate {
    digest: KeyDigest,
    /// `None` if the entry is not in the index because its files could not be read or deleted before.
    handle: Option<u64>,
    /// The cache key, if it is known.
    url: Option<Box<str>>,
}

/// The files of an entry that is no longer in the index, and its cache key, if it is known.
type Taken = (Evicted, Option<Box<str>>);

/// How many entries matched, and how many of them could not be removed.
#[derive(Default)]
struct Removals {
    matched: u64,
    failed: u64,
    reason: Option<String>,
}

impl Removals {
    fn fail(&mut self, entries: u64, reason: String) {
        self.failed += entries;
        self.reason.get_or_insert(reason);
    }
}

impl Cache {
    /// Implements `remove-matching`, which the WIT documents.
    pub async fn remove_matching(&self, filter: EntryFilter) -> Result<Removal, StoreError> {
        let loaded = self.ensure_loaded().await;
        let filter = Filter::try_from(filter).map_err(StoreError::InvalidUrl)?;
        if matches!(filter, Filter::All) {
            self.state.borrow_mut().failures.clear();
        }
        loaded?;
        let (mut removals, mut interrupted) = (Removals::default(), self.is_on_standby());
        for digest in self.arriving.matching(|url| filter.matches(url)) {
            removals.matched += u64::from(self.discard_arriving(&digest).await);
        }
        let mut remains = self.state.borrow().remains.digests();
        while !interrupted && !remains.is_empty() {
            let slice = remains.split_off(remains.len().saturating_sub(SLICE as usize));
            interrupted = !self.remove_slice(&filter, |state| state.remaining(slice), &mut removals).await?;
        }
        let mut start: Slot = 0;
        // Using an entry does not change its slot, so one pass over the slots covers all entries.
        while !interrupted && start < self.state.borrow().index.slot_count() {
            let end = start.saturating_add(SLICE);
            interrupted = !self.remove_slice(&filter, |state| state.stored_in(start..end), &mut removals).await?;
            start = end;
        }
        let Removals { matched, failed, reason } = removals;
        match reason {
            None => Ok(Removal { removed: matched, interrupted }),
            // Because of the remaining files, the successor lists the directory, so the repeated call tries to remove them again.
            Some(_) if interrupted => Ok(Removal { removed: matched - failed, interrupted }),
            Some(reason) => Err(StoreError::Disk(format!("{failed} of {matched} entries were not removed: {reason}"))),
        }
    }

    /// Removes the candidates that match. Returns false if the cache is on standby.
    async fn remove_slice(
        &self,
        filter: &Filter,
        candidates: impl FnOnce(&State) -> Vec<Candidate>,
        removals: &mut Removals,
    ) -> Result<bool, StoreError> {
        let Some(permit) = self.permits.acquire() else { return Ok(false) };
        let candidates = candidates(&self.state.borrow());
        let matching = self.matching(filter, candidates, removals).await?;
        self.remove_all(matching, removals).await;
        drop(permit);
        wit_bindgen::yield_async().await;
        Ok(true)
    }

    /// Returns the candidates whose cache keys match. Those that are not known are in the sidecars.
    async fn matching(
        &self,
        filter: &Filter,
        candidates: Vec<Candidate>,
        removals: &mut Removals,
    ) -> Result<Vec<Candidate>, StoreError> {
        if matches!(filter, Filter::All) {
            return Ok(candidates);
        }
        let (mut matching, unknown): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|candidate| candidate.url.is_some());
        matching.retain(|candidate| candidate.url.as_deref().is_some_and(|url| filter.matches(url)));
        let names = unknown.iter().map(|candidate| candidate.digest.sidecar_file()).collect();
        let sidecars = self.open_disk()?.read_small(names, LARGEST_SIDECAR as u32).await;
        for (candidate, sidecar) in unknown.into_iter().zip(sidecars) {
            match sidecar.map(|content| parse_sidecar(&content, candidate.digest)) {
                Ok(Some((sidecar, _))) if filter.matches(&sidecar.url) => {
                    matching.push(Candidate { url: Some(sidecar.url.into()), ..candidate });
                }
                // Without a valid sidecar there is no entry; the next request for it will detect that.
                Ok(_) => {}
                Err(error) if blames_the_file(&error) => {}
                Err(error) => {
                    removals.matched += 1;
                    removals.fail(1, format!("cannot read {}: {}", candidate.digest.sidecar_file(), describe(&error)));
                }
            }
        }
        Ok(matching)
    }

    async fn remove_all(&self, mut matching: Vec<Candidate>, removals: &mut Removals) {
        while !matching.is_empty() {
            // While files are being replaced, they cannot be deleted.
            for Candidate { handle, digest, .. } in &matching {
                while let Some(written) = self.end_of_replacement(*handle, digest) {
                    let _ = written.await;
                }
            }
            // There must be no `await` between the removal from the index and the beginning of the deletion: another call could store an
            // entry under the same name.
            let (taken, replaced) = self.state.borrow_mut().take_all(matching);
            matching = replaced;
            removals.matched += taken.len() as u64;
            if let Err(failure) = self.delete_files(taken.iter().map(|(files, _)| *files)).await {
                removals.fail(failure.entries, failure.reason);
                for (files, url) in taken {
                    if let Some(url) = url {
                        self.keep_url(&files.digest, &url).await;
                    }
                }
            }
            wit_bindgen::yield_async().await;
        }
    }

    /// Keeps the cache key of an entry whose files could not be deleted, unless it is still in the sidecar, so that a later removal by host
    /// or prefix tries again to delete them.
    pub(crate) async fn keep_url(&self, digest: &KeyDigest, url: &str) {
        let (Ok(disk), true) = (self.open_disk(), self.state.borrow().remains.has(digest)) else { return };
        if !matches!(read_sidecar(&disk, digest.sidecar_file(), *digest).await, Ok(Some(_))) {
            self.state.borrow_mut().remains.keep_url(digest, url);
        }
    }

    fn end_of_replacement(&self, handle: Option<u64>, digest: &KeyDigest) -> Option<futures::channel::oneshot::Receiver<()>> {
        let state = self.state.borrow();
        let entry = state.index.resolve(handle?).and_then(|slot| state.index.get(slot))?;
        if entry.is_being_written() { self.fills.watch(digest) } else { None }
    }
}

impl State {
    /// The stored entries in these slots.
    fn stored_in(&self, slots: Range<Slot>) -> Vec<Candidate> {
        let stored = slots.filter_map(|slot| Some((slot, self.index.get(slot).filter(|entry| entry.is_stored())?)));
        stored.map(|(slot, entry)| Candidate { digest: entry.digest, handle: Some(self.index.handle(slot)), url: None }).collect()
    }

    /// The entries whose files remain although the entries are not in the index.
    fn remaining(&self, digests: Vec<KeyDigest>) -> Vec<Candidate> {
        let candidate = |digest| Candidate { digest, handle: None, url: self.remains.url(&digest).map(Into::into) };
        digests.into_iter().map(candidate).collect()
    }

    /// Removes the entries that still exist. Returns their files with the known cache keys, and the candidates that are being replaced,
    /// which are not removed.
    fn take_all(&mut self, candidates: Vec<Candidate>) -> (Vec<Taken>, Vec<Candidate>) {
        let (mut taken, mut replaced) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let Some(handle) = candidate.handle else {
                // An entry that was stored in the meantime has its own files.
                let files = self.remains.files_of(&candidate.digest).filter(|files| self.index.find(&files.digest).is_none());
                taken.extend(files.map(|files| (files, candidate.url)));
                continue;
            };
            let Some(slot) = self.index.resolve(handle) else { continue };
            match self.take_entry(slot) {
                Some(files) => taken.push((files, candidate.url)),
                None => replaced.push(candidate),
            }
        }
        (taken, replaced)
    }
}
