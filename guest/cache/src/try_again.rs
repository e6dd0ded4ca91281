//! Checks whether the disk works again, without waiting for a request that needs it.

use media_cache_entry_files::KeyDigest;

use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::wasi::filesystem::types::ErrorCode;
use crate::cache::Cache;
use crate::clock;
use crate::disk::{Disk, blames_the_file};
use crate::disk_health::Operation;
use crate::entry::{Entry, EntryState, Evicted};
use crate::read_back::can_be_read;
use crate::recovery::{NewFiles, recover};
use crate::sidecar_file::{StampedSidecar, read_sidecar};
use crate::state::State;

/// The size in bytes of the file that is written to find out whether files can be written.
const PROBE_BYTES: usize = 16 * 1024;

/// The time between two attempts, in nanoseconds.
const INTERVAL: u64 = 1_000_000_000;

/// The number of entries whose files are deleted or read in one attempt.
const ENTRIES: usize = 64;

/// Operations to retry.
struct Failed {
    undeleted: Vec<KeyDigest>,
    store: bool,
    /// Entries that could not be read when the directory was loaded.
    set_aside: Vec<KeyDigest>,
    unreadable: Option<KeyDigest>,
}

impl Cache {
    /// Retries failed operations: deleting files, writing an entry, and reading entries. If this is the last call, only deletions are
    /// retried, since the others would not help.
    pub(crate) async fn try_again(&self, disk: &Disk, is_last: bool) {
        let Some(Failed { undeleted, store, set_aside, unreadable }) = self.failed(disk) else { return };
        self.delete_leftovers(disk).await;
        self.delete_evicted(undeleted.into_iter().map(|digest| Evicted { digest, disk_size: 0 })).await;
        if is_last {
            return;
        }
        if store && self.can_write(disk).await {
            self.state.borrow_mut().disk_health.succeeded(Operation::Store);
        }
        for digest in set_aside {
            self.find_again(disk, digest).await;
            wit_bindgen::yield_async().await;
        }
        if let Some(digest) = unreadable
            && can_be_read(disk, digest).await
        {
            self.state.borrow_mut().unreadable = None;
        }
        {
            let state = &mut *self.state.borrow_mut();
            if state.unreadable.is_none() && !state.remains.has_unreadable() {
                state.disk_health.succeeded(Operation::Read);
            }
            if state.remains.undeleted().next().is_none() {
                state.disk_health.succeeded(Operation::Delete);
            }
        }
        self.report_leftovers(disk);
    }

    fn failed(&self, disk: &Disk) -> Option<Failed> {
        let state = &mut *self.state.borrow_mut();
        let now = clock::ticks();
        let fails = [Operation::Delete, Operation::Store, Operation::Read].into_iter().any(|kind| state.disk_health.fails(kind));
        if !(fails || disk.leftover_reason().is_some()) || now < self.tried_again.get().saturating_add(INTERVAL) {
            return None;
        }
        self.tried_again.set(now);
        // An entry that is being stored under the same name has its own files.
        let is_unknown = |digest: &KeyDigest| state.index.find(digest).is_none();
        let some = |digests: &mut dyn Iterator<Item = KeyDigest>| digests.filter(is_unknown).take(ENTRIES).collect::<Vec<_>>();
        let (undeleted, set_aside) = (some(&mut state.remains.undeleted()), some(&mut state.remains.unreadable()));
        state.remains.tried(undeleted.last(), set_aside.last());
        Some(Failed { undeleted, store: state.disk_health.fails(Operation::Store), set_aside, unreadable: state.unreadable })
    }

    /// Performs every step of storing an entry, to find out whether that works.
    async fn can_write(&self, disk: &Disk) -> bool {
        // No URL has these names. If the files are left behind, a start removes them, like any entry with such a sidecar.
        let names = [KeyDigest::of("").sidecar_file(), KeyDigest::of("").media_file()];
        let [sidecar, media] = names.clone();
        let mut written = disk.create_anew(media, &Blob::from_bytes(&[0; PROBE_BYTES])).await;
        if written.is_ok() {
            written = disk.write(sidecar, &Blob::from_bytes(b"{}")).await.map(drop);
        }
        if written.is_ok() {
            written = self.make_durable(disk).await;
        }
        let is_stored = written.is_ok();
        for name in names {
            disk.clean_up(name).await;
        }
        is_stored
    }

    /// Adds an entry to the index that could not be read when the directory was loaded.
    async fn find_again(&self, disk: &Disk, digest: KeyDigest) {
        let Ok(found) = read_set_aside(disk, digest).await else { return };
        let unused = {
            let state = &mut *self.state.borrow_mut();
            if state.index.find(&digest).is_some() || !state.remains.has(&digest) {
                return;
            }
            match &found {
                Some(sidecar) => state.add_found(digest, sidecar),
                None => state.counters.damaged += 1,
            }
            found.is_none().then_some(Evicted { digest, disk_size: 0 })
        };
        self.delete_evicted(unused).await;
        self.evict_to_budget().await;
    }
}

impl State {
    fn add_found(&mut self, digest: KeyDigest, (sidecar, stamp): &StampedSidecar) {
        self.remains.forget(&digest);
        let entry = Entry { tracked: true, ..Entry::new(digest, sidecar, *stamp, EntryState::Stored) };
        let slot = self.index.insert(entry);
        if let Some(entry) = self.index.get(slot) {
            self.disk_tier.restore(&[entry.for_policy(slot.into(), entry.disk_size())]);
        }
        self.index.promote(slot);
    }
}

/// Returns the sidecar of an entry, if its files are consistent. An interrupted replacement is completed or undone first.
async fn read_set_aside(disk: &Disk, digest: KeyDigest) -> Result<Option<StampedSidecar>, ErrorCode> {
    let new = NewFiles {
        media: size(disk, digest.new_media_file()).await?.is_some(),
        sidecar: size(disk, digest.new_sidecar_file()).await?.is_some(),
    };
    if new != NewFiles::default() {
        recover(disk, digest, new).await?;
    }
    let sidecar = match read_sidecar(disk, digest.sidecar_file(), digest).await {
        Err(error) if blames_the_file(&error) => None,
        read => read?,
    };
    let media = size(disk, digest.media_file()).await?;
    Ok(sidecar.filter(|(sidecar, _)| media == Some(sidecar.size)))
}

/// The size of a file, if it exists.
async fn size(disk: &Disk, name: String) -> Result<Option<u64>, ErrorCode> {
    match disk.size(name).await {
        Ok(size) => Ok(Some(size)),
        Err(error) if blames_the_file(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
