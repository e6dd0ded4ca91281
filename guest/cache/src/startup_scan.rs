//! Finding out what is stored: one listing of the directory, the snapshot where there is one, and the sidecars of the rest.

use crate::bindings::exports::media_cache::cache::cache::{LoadReport, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::eviction::Policy;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::digest::{FileKind, Key, KeyMap, SNAPSHOT};
use crate::disk::{Disk, blames_the_file, describe};
use crate::index::Entry;
use crate::sidecar::{self, Sidecar};
use crate::single_flight::Part;
use crate::snapshot;
use crate::state::State;
use crate::store::ranked;
use std::rc::Rc;

/// How many entries a policy is told of in one call.
const PAGE: usize = 1024;

/// What a listing of the directory shows.
#[derive(Default)]
struct Listing {
    pairs: KeyMap<Pair>,
    leftovers: Vec<String>,
    snapshot: bool,
}

/// Which files of an entry are there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Pair {
    media: bool,
    sidecar: bool,
}

impl Listing {
    fn of(names: Vec<String>) -> Self {
        let mut listing = Self::default();
        for name in names {
            match FileKind::of(&name) {
                FileKind::Media(key) => listing.pairs.entry(key).or_default().media = true,
                FileKind::Sidecar(key) => listing.pairs.entry(key).or_default().sidecar = true,
                FileKind::Snapshot => listing.snapshot = true,
                FileKind::Leftover => listing.leftovers.push(name),
                FileKind::Foreign => {}
            }
        }
        listing
    }

    /// Whether both files of an entry are there.
    fn is_whole(&self, key: &Key) -> bool {
        self.pairs.get(key) == Some(&Pair { media: true, sidecar: true })
    }
}

impl Cache {
    /// See the WIT.
    pub async fn ensure_loaded(&self) -> Result<LoadReport, StoreError> {
        loop {
            if let Some(report) = self.report.get() {
                return Ok(report);
            }
            let result = match self.loads.join(&()) {
                Part::Lead(lead) => {
                    let result = self.load().await;
                    lead.finish(|| result.clone());
                    result
                }
                Part::Follow(result) => match result.await {
                    Ok(result) => result,
                    Err(_) => continue,
                },
            };
            return result.map_err(StoreError::Disk);
        }
    }

    async fn load(&self) -> Result<LoadReport, String> {
        self.check_policy()?;
        let disk = Rc::new(Disk::open(&self.settings.directory).await?);
        let names = disk.names().await.map_err(|error| format!("cannot list the directory: {}", describe(&error)))?;
        let mut listing = Listing::of(names);
        let mut report = LoadReport { entries: 0, from_snapshot: 0, leftovers: 0, damaged: 0, evicted: 0 };
        for name in std::mem::take(&mut listing.leftovers) {
            report.leftovers += u64::from(disk.remove(name).await.is_ok());
        }
        let remembered = entries_of_snapshot(&disk, &mut listing).await;
        let remembered_keys: Vec<Key> = remembered.iter().map(|entry| entry.key).collect();
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for (key, pair) in listing.pairs {
            match entry_of_sidecar(&disk, key, pair).await {
                Ok(Some(entry)) => found.push(entry),
                Ok(None) => damaged.push(key),
                // It is left where it is, for a start that can read it.
                Err(_) => {}
            }
        }
        report.damaged = damaged.len() as u64;
        let evicted = self.take_up(in_order(remembered, found));
        report.evicted = evicted.len() as u64;
        {
            let index = &self.state.borrow().index;
            report.entries = index.len() as u64;
            report.from_snapshot = remembered_keys.iter().filter(|key| index.find(key).is_some()).count() as u64;
        }
        *self.disk.borrow_mut() = Some(disk);
        self.report.set(Some(report));
        damaged.extend(evicted);
        self.discard(damaged).await;
        Ok(report)
    }

    /// A policy that cannot be made with its options is found out here, where it can be said.
    fn check_policy(&self) -> Result<(), String> {
        let made = Policy::create(self.settings.max_disk_bytes, &self.settings.policy_options);
        made.map(drop).map_err(|why| format!("the eviction policy cannot be used: {why}"))
    }

    /// Puts the entries into the index, the coldest first, and makes them fit the budget. Says whose files are to go.
    fn take_up(&self, entries: Vec<Entry<Blob>>) -> Vec<Key> {
        let budget = self.settings.max_disk_bytes;
        let (fitting, oversize): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.disk_size() <= budget);
        let over = {
            let State { index, ranking, counters, .. } = &mut *self.state.borrow_mut();
            let slots: Vec<_> = fitting.into_iter().map(|entry| index.insert(entry)).collect();
            for page in slots.chunks(PAGE) {
                ranking.restored(&page.iter().map(|slot| ranked(index, *slot)).collect::<Vec<_>>());
            }
            counters.evictions += oversize.len() as u64;
            index.disk_bytes().saturating_sub(budget)
        };
        let mut gone: Vec<Key> = oversize.into_iter().map(|entry| entry.key).collect();
        if over > 0 {
            gone.extend(self.make_room(over));
        }
        gone
    }
}

/// All entries, the coldest first. The order of the snapshot stands, whatever its times say: a clock may have been set back. The
/// others go where their time belongs.
fn in_order<B>(remembered: Vec<Entry<B>>, mut found: Vec<Entry<B>>) -> Vec<Entry<B>> {
    found.sort_by_key(|entry| entry.accessed_at);
    let mut found = found.into_iter().peekable();
    let mut entries = Vec::with_capacity(remembered.len() + found.len());
    for entry in remembered {
        while let Some(older) = found.next_if(|other| other.accessed_at < entry.accessed_at) {
            entries.push(older);
        }
        entries.push(entry);
    }
    entries.extend(found);
    entries
}

/// The entries of the snapshot whose files are there, which are taken out of the listing.
async fn entries_of_snapshot(disk: &Disk, listing: &mut Listing) -> Vec<Entry<Blob>> {
    if !listing.snapshot {
        return Vec::new();
    }
    let Ok(blob) = disk.read(SNAPSHOT.into()).await else { return Vec::new() };
    let text = blob.head(u32::MAX).unwrap_or_default();
    let mut entries = Vec::new();
    for entry in snapshot::read(&text) {
        // One whose media changed since is read from its sidecar.
        let there = listing.is_whole(&entry.key);
        if there && disk.size(entry.key.media_file()).await.is_ok_and(|size| size == entry.size) {
            listing.pairs.remove(&entry.key);
            entries.push(entry);
        }
    }
    entries
}

/// The entry that a sidecar tells of, if both files are there and agree. An error says nothing of the files.
async fn entry_of_sidecar(disk: &Disk, key: Key, pair: Pair) -> Result<Option<Entry<Blob>>, ErrorCode> {
    if pair != (Pair { media: true, sidecar: true }) {
        return Ok(None);
    }
    let (blob, size) = match (disk.read(key.sidecar_file()).await, disk.size(key.media_file()).await) {
        (Ok(blob), Ok(size)) => (blob, size),
        (Err(error), _) | (_, Err(error)) if blames_the_file(&error) => return Ok(None),
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    if blob.size() > sidecar::LARGEST {
        return Ok(None);
    }
    let sidecar = Sidecar::from_json(&blob.head(sidecar::LARGEST as u32)?);
    let agrees = |sidecar: &Sidecar| Key::of(&sidecar.url) == key && sidecar.size == size;
    Ok(sidecar.filter(agrees).map(|sidecar| Entry {
        key,
        url: sidecar.url,
        mimetype: sidecar.mimetype,
        filename: sidecar.filename,
        size: sidecar.size,
        sidecar_size: blob.size(),
        stored_at: sidecar.stored_at,
        accessed_at: sidecar.stored_at,
        hits: 0,
        digest: sidecar.digest,
        committed: true,
        resident: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_knows_what_is_ours() {
        let [a, b] = ["a", "b"].map(Key::of);
        let names = [a.media_file(), a.sidecar_file(), b.media_file(), format!("{a}.dat.tmp"), "photo.jpg".into(), SNAPSHOT.into()];
        let listing = Listing::of(names.to_vec());
        assert_eq!(listing.leftovers, [format!("{a}.dat.tmp")]);
        assert!(listing.snapshot);
        assert!(listing.is_whole(&a));
        assert!(!listing.is_whole(&b), "it has no sidecar");
        assert_eq!(listing.pairs.len(), 2);
    }
}
