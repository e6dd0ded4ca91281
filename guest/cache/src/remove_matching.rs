//! Removes all entries that match a filter, in slices. Between slices, other calls proceed, and the cache may go on standby.

use std::ops::Range;

use media_cache_entry_files::{KeyDigest, LARGEST_SIDECAR};

use crate::bindings::exports::media_cache::cache::cache::{EntryFilter, Removal, StoreError};
use crate::cache::Cache;
use crate::disk::{blames_the_file, describe};
use crate::entry::Evicted;
use crate::entry_filter::Filter;
use crate::index::Slot;
use crate::sidecar_file::parse_sidecar;
use crate::state::State;

/// The number of slots that are searched at a time.
const SLICE: Slot = 256;

/// An entry that may match.
struct Candidate {
    handle: u64,
    digest: KeyDigest,
}

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
        let (mut removals, mut interrupted) = (Removals::default(), false);
        for digest in self.arriving.matching(|url| filter.matches(url)) {
            removals.matched += u64::from(self.discard_arriving(&digest).await);
        }
        let mut start: Slot = 0;
        // Using an entry does not change its slot, so one pass over the slots covers all entries.
        while start < self.state.borrow().index.slot_count() {
            let Some(permit) = self.permits.acquire() else {
                interrupted = true;
                break;
            };
            let end = start.saturating_add(SLICE);
            let candidates = self.state.borrow().stored_in(start..end);
            let matching = self.matching(&filter, candidates, &mut removals).await?;
            self.remove_all(matching, &mut removals).await;
            start = end;
            drop(permit);
            wit_bindgen::yield_async().await;
        }
        if matches!(filter, Filter::All) && !interrupted {
            match self.permits.acquire() {
                Some(_permit) => self.remove_remains(&mut removals).await,
                None => interrupted = true,
            }
        }
        let Removals { matched, failed, reason } = removals;
        match reason {
            None => Ok(Removal { removed: matched, interrupted }),
            // Because of the remaining files, the successor lists the directory, so the repeated call tries to remove them again.
            Some(_) if interrupted => Ok(Removal { removed: matched - failed, interrupted }),
            Some(reason) => Err(StoreError::Disk(format!("{failed} of {matched} entries were not removed: {reason}"))),
        }
    }

    /// Removes the files of entries that are not in the index because the files could not be read or deleted before.
    async fn remove_remains(&self, removals: &mut Removals) {
        let files = self.state.borrow().remains.all();
        removals.matched += files.len() as u64;
        if let Err(failure) = self.delete_files(files).await {
            removals.fail(failure.entries, failure.reason);
        }
    }

    /// Returns the candidates whose cache keys, which are in the sidecars, match.
    async fn matching(
        &self,
        filter: &Filter,
        candidates: Vec<Candidate>,
        removals: &mut Removals,
    ) -> Result<Vec<Candidate>, StoreError> {
        if matches!(filter, Filter::All) {
            return Ok(candidates);
        }
        let names = candidates.iter().map(|candidate| candidate.digest.sidecar_file()).collect();
        let sidecars = self.open_disk()?.read_small(names, LARGEST_SIDECAR as u32).await;
        let mut matching = Vec::new();
        for (candidate, sidecar) in candidates.into_iter().zip(sidecars) {
            match sidecar.map(|content| parse_sidecar(&content, candidate.digest)) {
                Ok(Some((sidecar, _))) if filter.matches(&sidecar.url) => matching.push(candidate),
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
            for Candidate { handle, digest } in &matching {
                while let Some(written) = self.end_of_replacement(*handle, digest) {
                    let _ = written.await;
                }
            }
            // There must be no `await` between the removal from the index and the beginning of the deletion: another call could store an
            // entry under the same name.
            let (files, replaced) = self.state.borrow_mut().take_all(matching);
            matching = replaced;
            removals.matched += files.len() as u64;
            if let Err(failure) = self.delete_files(files).await {
                removals.fail(failure.entries, failure.reason);
            }
            wit_bindgen::yield_async().await;
        }
    }

    fn end_of_replacement(&self, handle: u64, digest: &KeyDigest) -> Option<futures::channel::oneshot::Receiver<()>> {
        let state = self.state.borrow();
        let entry = state.index.resolve(handle).and_then(|slot| state.index.get(slot))?;
        if entry.is_being_written() { self.fills.watch(digest) } else { None }
    }
}

impl State {
    /// The stored entries in these slots.
    fn stored_in(&self, slots: Range<Slot>) -> Vec<Candidate> {
        let stored = slots.filter_map(|slot| Some((slot, self.index.get(slot).filter(|entry| entry.is_stored())?)));
        stored.map(|(slot, entry)| Candidate { handle: self.index.handle(slot), digest: entry.digest }).collect()
    }

    /// Removes the entries that still exist. Returns their files, and the candidates that are being replaced, which are not removed.
    fn take_all(&mut self, candidates: Vec<Candidate>) -> (Vec<Evicted>, Vec<Candidate>) {
        let (mut files, mut replaced) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let Some(slot) = self.index.resolve(candidate.handle) else { continue };
            match self.take_entry(slot) {
                Some(taken) => files.push(taken),
                None => replaced.push(candidate),
            }
        }
        (files, replaced)
    }
}
