//! Storage for arriving bodies that are too large for memory: unnamed files, within an allowance.
//!
//! The spool of a cache is in the cache's own directory, so that a body can be stored without copying it. Bodies that are arriving count
//! against the disk budget. If the allowance or the disk has no space for a body, it goes to the system's directory for temporary files
//! instead, up to a limit.

use std::env;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::free_space_floor::FreeSpaceFloor;

/// The limit for bodies that do not fit in the directory, in bytes. A body that is the only one there may exceed it.
const OVERFLOW: u64 = 1 << 30;

/// The directories in which large bodies arrive, and the space that they take up.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    overflow: Option<PathBuf>,
    floor: FreeSpaceFloor,
    /// The maximum space for bodies in the directory, in bytes.
    allowance: AtomicU64,
    reserved: Mutex<Reserved>,
}

#[derive(Debug, Default)]
struct Reserved {
    directory: u64,
    overflow: u64,
}

impl Reserved {
    fn bytes(&mut self, place: Place) -> &mut u64 {
        match place {
            Place::Directory => &mut self.directory,
            Place::Overflow => &mut self.overflow,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Directory,
    Overflow,
}

/// Why a body cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// There is currently no space for this many bytes, because other bodies or files take it up. A later attempt may succeed.
    #[error("there is no space for {0} more bytes while other large bodies are arriving")]
    Full(u64),
    /// The file system failed.
    #[error("cannot write the body to a temporary file in {}: {error}", directory.display())]
    Io {
        /// The directory of the file.
        directory: PathBuf,
        /// The error of the file system.
        error: io::Error,
    },
}

impl Spool {
    /// A spool in the system's directory for temporary files, without a limit.
    #[must_use]
    pub fn temporary() -> Arc<Self> {
        Arc::new(Self::with(env::temp_dir(), None, FreeSpaceFloor::default(), u64::MAX))
    }

    /// A spool in `directory` that leaves `floor` free on the file system. The directory is created when it is needed, if its parent
    /// exists. The spool has no limit until an [allowance](Self::set_allowance) is set.
    #[must_use]
    pub fn new(directory: PathBuf, floor: FreeSpaceFloor) -> Arc<Self> {
        Arc::new(Self::with(directory, Some(env::temp_dir()), floor, u64::MAX))
    }

    fn with(directory: PathBuf, overflow: Option<PathBuf>, floor: FreeSpaceFloor, allowance: u64) -> Self {
        Self { directory, overflow, floor, allowance: AtomicU64::new(allowance), reserved: Mutex::default() }
    }

    /// The directory of the spool.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Limits the space in the directory for bodies that are arriving, or have arrived but are not stored yet, in bytes.
    pub fn set_allowance(&self, bytes: u64) {
        self.allowance.store(bytes, Ordering::Relaxed);
    }

    /// The space in the directory that is reserved for bodies that are arriving, or have arrived but are not stored yet, in bytes.
    #[must_use]
    pub fn arriving_bytes(&self) -> u64 {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).directory
    }

    /// Creates a file to check whether the directory can be used. Leaves nothing behind.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn check(&self) -> io::Result<()> {
        let existed = self.directory.exists();
        let checked = unnamed_file(&self.directory).map(drop);
        if !existed {
            // This fails if the directory is in use.
            let _ = std::fs::remove_dir(&self.directory);
        }
        checked
    }

    /// Reserves space in the directory, or in the overflow directory if it does not fit.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, SpoolError> {
        [Place::Directory, Place::Overflow]
            .into_iter()
            .find(|place| self.take(*place, 0, bytes))
            .map(|place| Reservation { spool: self.clone(), bytes, place })
            .ok_or(SpoolError::Full(bytes))
    }

    /// Reserves `more` bytes for a body that has already reserved `own` bytes there. Returns whether there was space.
    fn take(&self, place: Place, own: u64, more: u64) -> bool {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = reserved.bytes(place);
        let total = reserved.saturating_add(more);
        let fits = match place {
            // Reserved bytes may not have been written yet.
            Place::Directory => total <= self.allowance.load(Ordering::Relaxed) && self.has_free(total),
            Place::Overflow => self.overflow.is_some() && (total <= OVERFLOW || *reserved == own),
        };
        if fits {
            *reserved = total;
        }
        fits
    }

    fn give_back(&self, place: Place, bytes: u64) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = reserved.bytes(place);
        *reserved = reserved.saturating_sub(bytes);
    }

    /// Whether the file system has this much free space. True if that cannot be determined, since writing to a full disk will fail anyway.
    fn has_free(&self, bytes: u64) -> bool {
        self.floor.space_above(&self.directory).is_none_or(|available| bytes <= available)
    }
}

/// Space reserved for a body. It is released on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    spool: Arc<Spool>,
    bytes: u64,
    place: Place,
}

impl Reservation {
    /// The reserved bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The reserved bytes that are in the directory rather than in the overflow directory.
    pub fn bytes_in_directory(&self) -> u64 {
        if self.place == Place::Directory { self.bytes } else { 0 }
    }

    /// Reserves more bytes in the same place. Returns whether there was space.
    pub fn grow(&mut self, more: u64) -> bool {
        let fits = self.spool.take(self.place, self.bytes, more);
        if fits {
            self.bytes = self.bytes.saturating_add(more);
        }
        fits
    }

    /// Releases the space beyond this number of bytes.
    pub fn shrink(&mut self, bytes: u64) {
        let excess = self.bytes.saturating_sub(bytes);
        self.spool.give_back(self.place, excess);
        self.bytes -= excess;
    }

    /// Reserves this space in the overflow directory. Fails if this reservation is already in that directory.
    pub fn overflow(&self, bytes: u64) -> Result<Self, SpoolError> {
        if self.place == Place::Overflow || !self.spool.take(Place::Overflow, 0, bytes) {
            return Err(SpoolError::Full(bytes));
        }
        Ok(Self { spool: self.spool.clone(), bytes, place: Place::Overflow })
    }

    /// Whether the overflow directory can be tried instead.
    pub fn can_overflow(&self) -> bool {
        self.place == Place::Directory && self.spool.overflow.is_some()
    }

    /// Creates an unnamed file in the directory of the reservation.
    pub async fn create_file(&self) -> Result<Arc<File>, SpoolError> {
        let directory = self.directory().to_owned();
        let create = move || unnamed_file(&directory);
        let created = tokio::task::spawn_blocking(create).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        created.map(Arc::new).map_err(|error| self.failed(error))
    }

    pub fn failed(&self, error: io::Error) -> SpoolError {
        SpoolError::Io { directory: self.directory().to_owned(), error }
    }

    fn directory(&self) -> &Path {
        match (self.place, &self.spool.overflow) {
            (Place::Overflow, Some(overflow)) => overflow,
            _ => &self.spool.directory,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.spool.give_back(self.place, self.bytes);
    }
}

/// Creates an unnamed file, which is removed when it is closed. A missing directory is created, but not its parents: the directory of a
/// cache may have been moved away, and must not be created again here.
fn unnamed_file(directory: &Path) -> io::Result<File> {
    match tempfile::tempfile_in(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().mode(0o700).create(directory)?;
            tempfile::tempfile_in(directory)
        }
        created => created,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(directory: &Path, overflow: Option<&Path>, allowance: u64) -> Arc<Spool> {
        Arc::new(Spool::with(directory.into(), overflow.map(Path::to_owned), FreeSpaceFloor::default(), allowance))
    }

    #[test]
    fn space_is_reserved_within_the_allowance_until_it_is_released() {
        let directory = tempfile::tempdir().unwrap();
        let spool = spool(directory.path(), None, 100);
        let mut first = spool.reserve(60).unwrap();
        assert!(spool.reserve(41).is_err());
        assert!(first.grow(40) && !first.grow(1));
        assert_eq!(spool.arriving_bytes(), 100);
        first.shrink(10);
        assert_eq!((first.bytes(), spool.arriving_bytes()), (10, 10));
        drop(first);
        assert_eq!(spool.arriving_bytes(), 0);
    }

    #[test]
    fn body_beyond_the_allowance_goes_to_the_overflow_if_it_fits_or_is_alone_there() {
        let (directory, overflow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let spool = spool(directory.path(), Some(overflow.path()), 100);
        let mut large = spool.reserve(OVERFLOW + 1).unwrap();
        assert_eq!((large.place, spool.arriving_bytes()), (Place::Overflow, 0));
        assert!(large.grow(50), "no other body is arriving");
        assert!(spool.reserve(101).is_err() && large.overflow(1).is_err());
        assert_eq!(spool.reserve(100).unwrap().place, Place::Directory);
        drop(large);
        let kept = [spool.reserve(101).unwrap(), spool.reserve(OVERFLOW - 101).unwrap(), spool.reserve(90).unwrap()];
        assert!(kept[2].overflow(90).is_err(), "other bodies are in the overflow directory");
        assert_eq!(kept.map(|reservation| reservation.place), [Place::Overflow, Place::Overflow, Place::Directory]);
    }

    #[test]
    fn directory_is_private_and_created_only_if_its_parent_exists() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        unnamed_file(&root.path().join("new")).unwrap();
        assert_eq!(root.path().join("new").metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(unnamed_file(&root.path().join("a/b")).is_err() && !root.path().join("a").exists());
        let spool = spool(&root.path().join("checked"), None, 0);
        spool.check().unwrap();
        assert!(!root.path().join("checked").exists(), "a check leaves nothing behind");
    }

    #[test]
    fn free_space_floor_keeps_bodies_out_of_the_directory() {
        let (directory, overflow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let floor = FreeSpaceFloor::Percent(100);
        let spool = Arc::new(Spool::with(directory.path().into(), Some(overflow.path().into()), floor, u64::MAX));
        assert_eq!(spool.reserve(1).unwrap().place, Place::Overflow);
    }
}
