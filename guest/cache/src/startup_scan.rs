//! Finds what is stored: by one listing of the directory, the snapshot if there is one, and the sidecars of the rest.

use std::rc::Rc;

use media_cache_entry_files::{DigestMap, FileKind, KeyDigest, SNAPSHOT};

use crate::bindings::exports::media_cache::cache::cache::{LoadReport, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::policy::eviction::Policy;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, blames_the_file, describe};
use crate::entry::Entry;
use crate::recovery::{NewFiles, Recovered, recover};
use crate::sidecar_file::read_sidecar;
use crate::single_flight::Role;
use crate::snapshot;
use crate::state::State;

/// The number of entries that a policy restores in one call.
const PAGE: usize = 1024;

/// The files in the directory.
#[derive(Default)]
struct DirectoryListing {
    pairs: DigestMap<Pair>,
    replacements: DigestMap<NewFiles>,
    leftovers: Vec<String>,
    snapshot: bool,
}

/// Which files of an entry exist.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Pair {
    media: bool,
    sidecar: bool,
}

impl Pair {
    const COMPLETE: Self = Self { media: true, sidecar: true };
}

impl DirectoryListing {
    fn of(names: Vec<String>) -> Self {
        let mut listing = Self::default();
        for name in names {
            match FileKind::of(&name) {
                FileKind::Media(digest) => listing.pairs.entry(digest).or_default().media = true,
                FileKind::Sidecar(digest) => listing.pairs.entry(digest).or_default().sidecar = true,
                FileKind::NewMedia(digest) => listing.replacements.entry(digest).or_default().media = true,
                FileKind::NewSidecar(digest) => listing.replacements.entry(digest).or_default().sidecar = true,
                FileKind::Snapshot => listing.snapshot = true,
                FileKind::Leftover => listing.leftovers.push(name),
                FileKind::Foreign => {}
            }
        }
        listing
    }

    /// Whether both files of an entry exist.
    fn is_complete(&self, digest: &KeyDigest) -> bool {
        self.pairs.get(digest) == Some(&Pair::COMPLETE)
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
                Role::Leader(leader) => {
                    let result = self.load().await;
                    self.record_load(&result);
                    leader.finish(|| result.clone());
                    result
                }
                Role::Follower(result) => match result.await {
                    Ok(result) => result,
                    Err(_) => continue,
                },
            };
            return result.map_err(StoreError::Disk);
        }
    }

    fn record_load(&self, result: &Result<LoadReport, String>) {
        let health = &mut self.state.borrow_mut().disk_health;
        match result {
            Ok(_) => health.succeeded(),
            Err(reason) => health.failed(reason.clone(), clock::now()),
        }
    }

    async fn load(&self) -> Result<LoadReport, String> {
        self.check_policy()?;
        let disk = Rc::new(Disk::open(&self.settings.directory).await?);
        let names = disk.names().await.map_err(|error| format!("cannot list the directory: {}", describe(&error)))?;
        let mut listing = DirectoryListing::of(names);
        let mut report = LoadReport { entries: 0, from_index: 0, leftovers: 0, damaged: 0, evicted: 0 };
        for name in std::mem::take(&mut listing.leftovers) {
            report.leftovers += u64::from(disk.remove(name).await.is_ok());
        }
        for (digest, new) in std::mem::take(&mut listing.replacements) {
            match recover(&disk, digest, new).await {
                Ok(Recovered::Completed) => drop(listing.pairs.insert(digest, Pair::COMPLETE)),
                Ok(Recovered::Undone(files)) => report.leftovers += files,
                // They stay where they are, for a start that can read them.
                Err(_) => {}
            }
        }
        let saved = entries_of_snapshot(&disk, &mut listing).await;
        let saved_digests: Vec<KeyDigest> = saved.iter().map(|entry| entry.digest).collect();
        let (mut found, mut damaged) = (Vec::new(), Vec::new());
        for (digest, pair) in listing.pairs {
            match entry_of_sidecar(&disk, digest, pair).await {
                Ok(Some(entry)) => found.push(entry),
                Ok(None) => damaged.push(digest),
                // It stays where it is, for a start that can read it.
                Err(_) => {}
            }
        }
        report.damaged = damaged.len() as u64;
        let evicted = self.restore(in_order(saved, found));
        report.evicted = evicted.len() as u64;
        {
            let index = &self.state.borrow().index;
            report.entries = index.len() as u64;
            report.from_index = saved_digests.iter().filter(|digest| index.find(digest).is_some()).count() as u64;
        }
        *self.disk.borrow_mut() = Some(disk);
        self.report.set(Some(report));
        damaged.extend(evicted);
        self.delete_evicted(damaged).await;
        Ok(report)
    }

    /// Reports a policy that cannot be created with its options.
    fn check_policy(&self) -> Result<(), String> {
        let created = Policy::create(self.settings.max_disk_bytes, &self.settings.policy_options);
        created.map(drop).map_err(|reason| format!("the eviction policy cannot be used: {reason}"))
    }

    /// Puts entries, coldest first, into the index, and evicts down to the budget. Returns whose files to delete.
    fn restore(&self, entries: Vec<Entry<Blob>>) -> Vec<KeyDigest> {
        let budget = self.settings.max_disk_bytes;
        let (fitting, oversize): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.disk_size() <= budget);
        let excess = {
            let State { index, disk_tier, counters, .. } = &mut *self.state.borrow_mut();
            let slots: Vec<_> = fitting.into_iter().map(|entry| index.insert(entry)).collect();
            for page in slots.chunks(PAGE) {
                let entries = page.iter().filter_map(|slot| index.get(*slot).map(|entry| (slot, entry)));
                let entries = entries.map(|(slot, entry)| entry.for_policy((*slot).into(), entry.disk_size()));
                disk_tier.restore(&entries.collect::<Vec<_>>());
            }
            counters.count_evictions(oversize.len());
            index.disk_bytes().saturating_sub(budget)
        };
        let mut evicted: Vec<KeyDigest> = oversize.into_iter().map(|entry| entry.digest).collect();
        if excess > 0 {
            evicted.extend(self.evict_from_disk(excess));
        }
        evicted
    }
}

/// All entries, coldest first. The order of the snapshot stands, whatever its times are: a clock may have been set back. The others
/// are inserted by time.
fn in_order<B>(saved: Vec<Entry<B>>, mut found: Vec<Entry<B>>) -> Vec<Entry<B>> {
    found.sort_by_key(|entry| entry.accessed_at);
    let mut found = found.into_iter().peekable();
    let mut entries = Vec::with_capacity(saved.len() + found.len());
    for entry in saved {
        while let Some(older) = found.next_if(|other| other.accessed_at < entry.accessed_at) {
            entries.push(older);
        }
        entries.push(entry);
    }
    entries.extend(found);
    entries
}

/// The entries of the snapshot whose files exist. They are removed from the listing.
async fn entries_of_snapshot(disk: &Disk, listing: &mut DirectoryListing) -> Vec<Entry<Blob>> {
    if !listing.snapshot {
        return Vec::new();
    }
    let Ok(blob) = disk.read(SNAPSHOT.into()).await else { return Vec::new() };
    if blob.size() > snapshot::MAX_BYTES {
        return Vec::new();
    }
    let text = blob.head(u32::MAX).unwrap_or_default();
    let mut entries = Vec::new();
    for entry in snapshot::read(&text) {
        // An entry whose media has changed since is read from its sidecar.
        let complete = listing.is_complete(&entry.digest);
        if complete && disk.size(entry.digest.media_file()).await.is_ok_and(|size| size == entry.size) {
            listing.pairs.remove(&entry.digest);
            entries.push(entry);
        }
    }
    entries
}

/// The entry that a sidecar describes, if both files exist and agree. An error says nothing about the files.
async fn entry_of_sidecar(disk: &Disk, digest: KeyDigest, pair: Pair) -> Result<Option<Entry<Blob>>, ErrorCode> {
    if pair != Pair::COMPLETE {
        return Ok(None);
    }
    let (sidecar, size) = match (read_sidecar(disk, digest.sidecar_file(), digest).await, disk.size(digest.media_file()).await) {
        (Ok(sidecar), Ok(size)) => (sidecar, size),
        (Err(error), _) | (_, Err(error)) if blames_the_file(&error) => return Ok(None),
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    let sidecar = sidecar.filter(|(sidecar, _)| sidecar.size == size);
    Ok(sidecar.map(|(sidecar, sidecar_size)| Entry::from_sidecar(digest, sidecar, sidecar_size)))
}

#[cfg(test)]
mod tests {
    use media_cache_entry_files::{Metadata, Sidecar};

    use super::*;

    #[test]
    fn a_listing_sorts_out_the_files_of_the_cache() {
        let [a, b] = ["a", "b"].map(KeyDigest::of);
        let names = [a.media_file(), a.sidecar_file(), b.media_file(), format!("{a}.dat.tmp"), "photo.jpg".into(), SNAPSHOT.into()];
        let listing = DirectoryListing::of(names.to_vec());
        assert_eq!(listing.leftovers, [format!("{a}.dat.tmp")]);
        assert!(listing.snapshot);
        assert!(listing.is_complete(&a));
        assert!(!listing.is_complete(&b), "it has no sidecar");
        assert_eq!(listing.pairs.len(), 2);
    }

    #[test]
    fn entries_found_on_disk_are_inserted_by_time_and_the_snapshot_keeps_its_order() {
        let entries = |urls: &[(&str, u64)]| -> Vec<Entry<()>> {
            let entry = |(url, time): &(&str, u64)| {
                let metadata = Metadata::new("image/png".into(), "a.png", *time);
                let sidecar = Sidecar { url: (*url).into(), size: 1, body_digest: None, metadata: metadata.into() };
                Entry::from_sidecar(KeyDigest::of(url), sidecar, 1)
            };
            urls.iter().map(entry).collect()
        };
        let merged = in_order(entries(&[("b", 5), ("a", 3), ("c", 9)]), entries(&[("z", 20), ("x", 4), ("y", 7)]));
        assert_eq!(merged.iter().map(|entry| entry.url.as_str()).collect::<String>(), "xbaycz");
    }
}
