//! Checks all entries of a directory, on several threads, at a limited rate.
//!
//! A service may write and evict during the check. Apparent damage is therefore checked again until the files have not changed for a while
//! ([`QUIET`]), and reported only then. A repair needs no second check, because it holds the lock.

use std::fs;
use std::io;
use std::num::{NonZeroU64, NonZeroUsize};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use media_cache_entry_files::{DigestMap, FileKind, KeyDigest};

use crate::damage::Damage;
use crate::directory::EntryDirectory;
use crate::rate_limiter::RateLimiter;
use crate::remove::RemoveError;

/// How long files that look damaged must stay unchanged before they are reported.
const QUIET: Duration = Duration::from_secs(2);

/// How many times files that keep changing are checked again. They are being written, not damaged.
const ROUNDS: u32 = 15;

/// How to check a directory.
#[derive(Clone, Copy, Debug)]
pub struct VerifyOptions {
    /// The number of reading threads.
    pub threads: NonZeroUsize,
    /// The maximum rate of reading bodies, in bytes per second, summed over all threads. `None` for no limit.
    pub max_rate: Option<NonZeroU64>,
    /// Whether to repair damage. If so, the caller must hold the lock of the directory.
    pub repair: bool,
}

/// A problem that was found.
#[derive(Debug)]
pub struct Finding {
    /// The name of the damaged file, or the digest of the damaged entry.
    pub name: String,
    /// The URL of the entry, if a sidecar has it.
    pub url: Option<String>,
    /// The damage.
    pub damage: Damage,
    /// The total size of the files, in bytes.
    pub bytes: u64,
    /// What was done about the problem.
    pub outcome: Outcome,
}

/// What was done about a finding.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing, because repair was not requested.
    Kept,
    /// The files were deleted, or the interrupted refresh was completed.
    Repaired,
    /// Not everything could be deleted.
    Failed(RemoveError),
}

impl From<Result<(), RemoveError>> for Outcome {
    fn from(repaired: Result<(), RemoveError>) -> Self {
        repaired.map_or_else(Self::Failed, |()| Self::Repaired)
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries that are intact.
    pub intact: u64,
    /// The bytes of their bodies.
    pub intact_bytes: u64,
    /// Entries whose files disagree.
    pub damaged: u64,
    /// The bytes of their files.
    pub damaged_bytes: u64,
    /// Files that belong to no entry, by entry.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// Entries that the operating system cannot read.
    pub unreadable: u64,
    /// Findings that were repaired.
    pub repaired: u64,
}

impl Summary {
    /// The number of all findings.
    #[must_use]
    pub fn findings(&self) -> u64 {
        self.damaged + self.orphans + self.unreadable
    }

    fn count(&mut self, damage: &Damage, bytes: u64, is_repaired: bool) {
        match damage {
            Damage::Unreadable { .. } => self.unreadable += 1,
            damage if damage.is_orphan() => {
                self.orphans += 1;
                self.orphan_bytes += bytes;
            }
            _ => {
                self.damaged += 1;
                self.damaged_bytes += bytes;
            }
        }
        self.repaired += u64::from(is_repaired);
    }
}

/// Watches a check. Called from several threads.
pub trait Observer: Sync {
    /// The directory was listed, and has this many entries to check.
    fn listed(&self, entries: u64);

    /// One more entry was checked.
    fn checked(&self);

    /// A problem was found.
    fn found(&self, finding: &Finding);
}

/// An item to check.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// The files of an entry.
    Entry(KeyDigest),
    /// A temporary file.
    Leftover(String),
}

/// An item that may be damaged.
struct Suspect {
    item: Item,
    /// The state of its files, before they were checked.
    state: Vec<Option<FileState>>,
    /// When this state was first seen.
    since: Instant,
}

/// Identifies the state of a file: inode, size and the time of the last change, in seconds and nanoseconds.
type FileState = (u64, u64, i64, i64);

/// Checks all entries of a directory. Without `repair` it changes nothing, needs no lock, and can run while a service uses the directory.
///
/// # Errors
/// If the directory cannot be listed.
pub fn verify(directory: &EntryDirectory, options: &VerifyOptions, observer: &dyn Observer) -> io::Result<Summary> {
    let items = list(directory)?;
    observer.listed(items.len() as u64);
    let limiter = RateLimiter::new(options.max_rate.map(NonZeroU64::get));
    let check = Check { directory, options, observer, limiter, summary: Mutex::default(), suspects: Mutex::default() };
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..options.threads.get().min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Relaxed)) {
                    check.first_look(item);
                    observer.checked();
                }
            });
        }
    });
    let suspects = std::mem::take(&mut *lock(&check.suspects));
    check.second_looks(suspects);
    Ok(check.summary.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn list(directory: &EntryDirectory) -> io::Result<Vec<Item>> {
    let (mut entries, mut leftovers) = (DigestMap::default(), Vec::new());
    for file in directory.files()? {
        match file? {
            (
                _,
                FileKind::Media(digest) | FileKind::Sidecar(digest) | FileKind::NewMedia(digest) | FileKind::NewSidecar(digest),
            ) => {
                entries.insert(digest, ());
            }
            (name, FileKind::Leftover) => leftovers.push(Item::Leftover(name)),
            _ => {}
        }
    }
    Ok(entries.into_keys().map(Item::Entry).chain(leftovers).collect())
}

struct Check<'a> {
    directory: &'a EntryDirectory,
    options: &'a VerifyOptions,
    observer: &'a dyn Observer,
    limiter: RateLimiter,
    summary: Mutex<Summary>,
    suspects: Mutex<Vec<Suspect>>,
}

impl Check<'_> {
    fn first_look(&self, item: &Item) {
        let (state, since) = (self.state(item), Instant::now());
        let Some(damage) = self.examine(item) else { return };
        if !self.options.repair {
            lock(&self.suspects).push(Suspect { item: item.clone(), state, since });
        } else if self.report(item, damage) {
            self.first_look(item);
        }
    }

    /// Checks suspects again until each is intact, gone, or has not changed for a while.
    fn second_looks(&self, mut suspects: Vec<Suspect>) {
        for _ in 0..ROUNDS {
            let wait = suspects.iter().map(|suspect| QUIET.saturating_sub(suspect.since.elapsed())).max();
            std::thread::sleep(wait.unwrap_or_default());
            suspects.retain_mut(|suspect| {
                let (state, since) = (self.state(&suspect.item), Instant::now());
                let Some(damage) = self.examine(&suspect.item) else { return false };
                let is_settled = state == suspect.state && state == self.state(&suspect.item);
                if is_settled {
                    self.report(&suspect.item, damage);
                } else {
                    (suspect.state, suspect.since) = (state, since);
                }
                !is_settled
            });
        }
    }

    /// The damage of an item, if any. Counts an intact item.
    fn examine(&self, item: &Item) -> Option<Damage> {
        let digest = match item {
            Item::Entry(digest) => *digest,
            Item::Leftover(name) => return self.file_state(name).map(|_| Damage::Leftover),
        };
        let checked = self.directory.check(digest, &mut |bytes| self.limiter.wait(bytes));
        let has_new = [digest.new_media_file(), digest.new_sidecar_file()].iter().any(|name| self.file_state(name).is_some());
        match checked {
            Ok(Some(entry)) if !has_new => {
                let mut summary = lock(&self.summary);
                summary.intact += 1;
                summary.intact_bytes += entry.sidecar.size;
                None
            }
            Ok(_) => has_new.then_some(Damage::UnfinishedRefresh),
            // Between the two renames of a refresh, the current files disagree.
            Err(_) if has_new && matches!(self.directory.new_files(digest), Ok(Some(_))) => Some(Damage::UnfinishedRefresh),
            Err(damage) => Some(damage),
        }
    }

    /// Reports damage, after repairing it if requested. Returns whether the repair may have left an entry that must be checked.
    fn report(&self, item: &Item, damage: Damage) -> bool {
        let bytes = self.state(item).into_iter().flatten().map(|(_, size, ..)| size).sum();
        let (name, url) = match item {
            Item::Entry(digest) => (digest.to_string(), self.url(*digest)),
            Item::Leftover(name) => (name.clone(), None),
        };
        let outcome = match (self.options.repair, item) {
            (false, _) => Outcome::Kept,
            (true, Item::Entry(digest)) => self.directory.repair(*digest, &damage).into(),
            (true, Item::Leftover(name)) => self.directory.delete(name.clone()).map(drop).into(),
        };
        let is_repaired = matches!(outcome, Outcome::Repaired);
        let is_refresh = matches!(damage, Damage::UnfinishedRefresh);
        lock(&self.summary).count(&damage, bytes, is_repaired);
        self.observer.found(&Finding { name, url, damage, bytes, outcome });
        is_repaired && is_refresh
    }

    /// The URL in the sidecar of an entry.
    fn url(&self, digest: KeyDigest) -> Option<String> {
        let names = [digest.sidecar_file(), digest.new_sidecar_file()];
        let found = names.iter().find_map(|name| self.directory.read_sidecar(name, digest).ok().flatten());
        found.map(|read| read.sidecar.url)
    }

    /// The state of all files of an item.
    fn state(&self, item: &Item) -> Vec<Option<FileState>> {
        match item {
            Item::Entry(digest) => {
                let names = [digest.sidecar_file(), digest.media_file(), digest.new_sidecar_file(), digest.new_media_file()];
                names.iter().map(|name| self.file_state(name)).collect()
            }
            Item::Leftover(name) => vec![self.file_state(name)],
        }
    }

    fn file_state(&self, name: &str) -> Option<FileState> {
        let metadata = fs::symlink_metadata(self.directory.file(name)).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
