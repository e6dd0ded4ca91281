//! Detects that another program has changed or removed the sidecar of an entry that is served from an open file.
//!
//! A check never waits for a disk or a file server: it only uses what the kernel has cached. If the name is not cached, the component has
//! to check the sidecar, on the thread that may block.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::bindings::cache::media_cache::cache::storage;
use crate::file_time::file_time;

/// How long a sidecar is assumed to be unchanged, in milliseconds.
const TRUSTED_FOR: u32 = 2000;

/// Stored in place of the time of the last check once the sidecar has changed.
const CHANGED: u32 = u32::MAX;

/// The directory of the sidecars.
pub(crate) struct SidecarDirectory(OwnedFd);

/// The metadata that identifies a version of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

/// The version of a sidecar, and the time of the last check.
pub(crate) struct SidecarVersion {
    stamp: Stamp,
    /// The time of the last check, in milliseconds on the caller's clock, which may wrap around.
    looked_at: AtomicU32,
}

impl SidecarDirectory {
    /// Opens a directory. `None` if that fails.
    pub fn open(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty()).ok().map(Self)
    }

    /// The version of the sidecar of the entry with this cache key.
    pub fn version(&self, key: &str, now: u32) -> Option<SidecarVersion> {
        Some(SidecarVersion { stamp: self.stamp(key).ok()?, looked_at: AtomicU32::new(now) })
    }

    fn stamp(&self, key: &str) -> rustix::io::Result<Stamp> {
        let name = sidecar_name(key);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat2(&self.0, name.as_str(), flags, Mode::empty(), ResolveFlags::CACHED) {
            Ok(file) => statx(file, "", AtFlags::EMPTY_PATH),
            // Linux before 5.12, and some sandboxes.
            Err(Errno::NOSYS | Errno::INVAL | Errno::PERM) => statx(&self.0, &name, AtFlags::SYMLINK_NOFOLLOW),
            Err(error) => Err(error),
        }
    }
}

fn statx(directory: impl AsFd, name: &str, flags: AtFlags) -> rustix::io::Result<Stamp> {
    let stat = rustix::fs::statx(directory, name, flags | AtFlags::STATX_DONT_SYNC, StatxFlags::BASIC_STATS)?;
    let [modified, changed] = [stat.stx_mtime, stat.stx_ctime].map(|time| (time.tv_sec, time.tv_nsec));
    Ok(Stamp { inode: stat.stx_ino, size: stat.stx_size, modified, changed })
}

/// The name of the sidecar of the entry with this cache key.
fn sidecar_name(key: &str) -> String {
    let digest = Sha256::digest(key);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.chain(".json".chars()).collect()
}

impl SidecarVersion {
    /// Whether the sidecar should be checked now. If several callers ask concurrently, only one receives `true`.
    pub fn is_due(&self, now: u32) -> bool {
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        now.wrapping_sub(looked_at) >= TRUSTED_FOR
            && self.looked_at.compare_exchange(looked_at, now.min(CHANGED - 1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Checks the sidecar. Returns whether it may be assumed to be unchanged.
    pub fn look(&self, key: &str, directory: &SidecarDirectory) -> bool {
        self.judge(directory.stamp(key))
    }

    fn judge(&self, found: rustix::io::Result<Stamp>) -> bool {
        match found {
            Ok(stamp) if stamp == self.stamp => true,
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                self.looked_at.store(CHANGED, Ordering::Relaxed);
                false
            }
            // These say nothing about the sidecar, and the component could not check it either. The next check may succeed.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR) => true,
            // It is not in the caches of the system, or cannot be inspected: the component has to check it.
            Err(_) => false,
        }
    }

    /// Whether this is the version that the component has read.
    pub fn is(&self, read: storage::Stamp) -> bool {
        let (seconds, nanoseconds) = self.stamp.modified;
        (self.stamp.size, file_time(seconds, nanoseconds.into())) == (read.size, read.modified)
    }

    /// Whether the last check found that the sidecar has changed.
    pub fn is_changed(&self) -> bool {
        self.looked_at.load(Ordering::Relaxed) == CHANGED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SHA-256 digest of `a`.
    const NAME: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb.json";

    #[test]
    fn sidecar_is_checked_by_one_of_many_callers_every_two_seconds() {
        let root = tempfile::tempdir().unwrap();
        let directory = SidecarDirectory::open(root.path()).unwrap();
        assert!(directory.version("a", 0).is_none(), "there is no sidecar");
        std::fs::write(root.path().join(NAME), "{}").unwrap();
        let version = directory.version("a", u32::MAX - 1000).unwrap();
        assert!(!version.is_due(u32::MAX - 1000) && !version.is_due(998));
        assert!(version.is_due(999) && !version.is_due(999) && version.is_due(2999));
        assert!(version.look("a", &directory));
        assert!(!version.is_changed());
    }

    #[test]
    fn failed_check_of_a_sidecar_does_not_count_as_a_change() {
        let root = tempfile::tempdir().unwrap();
        let directory = SidecarDirectory::open(root.path()).unwrap();
        std::fs::write(root.path().join(NAME), "{}").unwrap();
        let version = directory.version("a", 0).unwrap();
        for (error, is_trusted) in [
            (Errno::MFILE, true),
            (Errno::NFILE, true),
            (Errno::NOMEM, true),
            (Errno::INTR, true),
            (Errno::AGAIN, false),
            (Errno::IO, false),
        ] {
            assert_eq!((version.judge(Err(error)), version.is_changed()), (is_trusted, false), "{error}");
        }
        assert!(!version.judge(Err(Errno::NOENT)) && version.is_changed());
    }

    #[test]
    fn writing_replacing_or_removing_a_sidecar_counts_as_a_change() {
        let root = tempfile::tempdir().unwrap();
        let (directory, path) = (SidecarDirectory::open(root.path()).unwrap(), root.path().join(NAME));
        let changes: [fn(&Path); 3] = [
            |path| std::fs::write(path, "other").unwrap(),
            |path| {
                std::fs::write(path.with_extension("other"), "{}").unwrap();
                std::fs::rename(path.with_extension("other"), path).unwrap();
            },
            |path| std::fs::remove_file(path).unwrap(),
        ];
        for change in changes {
            std::fs::write(&path, "{}").unwrap();
            let version = directory.version("a", 0).unwrap();
            assert!(version.look("a", &directory) && !version.is_changed());
            change(&path);
            assert!(!version.look("a", &directory) && version.is_changed());
        }
    }
}
