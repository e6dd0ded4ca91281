//! Where bodies arrive that are too large for memory: in files without names, within an allowance.
//!
//! A cache's spool is in its own directory, so that a body can be stored without copying it, and what is arriving counts against the
//! budget of the disk. A body for which the allowance or the disk has no space goes to the system's directory for temporary files
//! instead, as long as no more than the allowance, or one body, is there.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::free_space_floor::FreeSpaceFloor;

/// The directories of bodies that are arriving, and the space that they take up.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    overflow: Option<PathBuf>,
    floor: FreeSpaceFloor,
    /// In bytes, for each of the directories.
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
    /// Bodies that are arriving take up the whole allowance. Trying again later may succeed.
    #[error("other large bodies are arriving, and {needed} more bytes exceed the {allowance} bytes for all of them")]
    Full {
        /// What there is no space for, in bytes.
        needed: u64,
        /// The space for bodies that are arriving, in bytes.
        allowance: u64,
    },
    /// The file system failed.
    #[error("the body cannot be written to a temporary file in {}: {error}", directory.display())]
    Io {
        /// Where the file is.
        directory: PathBuf,
        /// What failed.
        error: io::Error,
    },
}

impl Spool {
    /// A spool in the system's directory for temporary files, without an allowance.
    #[must_use]
    pub fn temporary() -> Arc<Self> {
        Arc::new(Self::with(env::temp_dir(), None, FreeSpaceFloor::default(), u64::MAX))
    }

    /// A spool in a directory, which is created when it is needed, on a file system of which so much stays free. Until there is an
    /// [allowance](Self::set_allowance), it has no limit.
    #[must_use]
    pub fn new(directory: PathBuf, floor: FreeSpaceFloor) -> Arc<Self> {
        Arc::new(Self::with(directory, Some(env::temp_dir()), floor, u64::MAX))
    }

    fn with(directory: PathBuf, overflow: Option<PathBuf>, floor: FreeSpaceFloor, allowance: u64) -> Self {
        Self { directory, overflow, floor, allowance: AtomicU64::new(allowance), reserved: Mutex::default() }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Sets the space for bodies that are arriving, in bytes. What has arrived and is not stored yet counts, too.
    pub fn set_allowance(&self, bytes: u64) {
        self.allowance.store(bytes, Ordering::Relaxed);
    }

    /// The space in the directory that is reserved for bodies that are arriving, or have arrived and are not stored yet, in bytes.
    #[must_use]
    pub fn arriving_bytes(&self) -> u64 {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner).directory
    }

    /// Creates a file, to find out whether the directory can be used.
    ///
    /// # Errors
    /// The error of the file system.
    pub fn check(&self) -> io::Result<()> {
        unnamed_file(&self.directory).map(drop)
    }

    /// Reserves space in the directory, or else in the one for what does not fit.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, SpoolError> {
        [Place::Directory, Place::Overflow]
            .into_iter()
            .find(|place| self.take(*place, 0, bytes))
            .map(|place| Reservation { spool: self.clone(), bytes, place })
            .ok_or_else(|| self.full(bytes))
    }

    /// Takes `more` bytes for a body that has `own` bytes there already. Returns whether there is space.
    fn take(&self, place: Place, own: u64, more: u64) -> bool {
        let allowance = self.allowance.load(Ordering::Relaxed);
        if place == Place::Overflow && self.overflow.is_none() || place == Place::Directory && !self.has_free(more) {
            return false;
        }
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = reserved.bytes(place);
        let fits = reserved.saturating_add(more) <= allowance || place == Place::Overflow && *reserved == own;
        if fits {
            *reserved = reserved.saturating_add(more);
        }
        fits
    }

    fn give_back(&self, place: Place, bytes: u64) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let reserved = reserved.bytes(place);
        *reserved = reserved.saturating_sub(bytes);
    }

    /// Whether the file system has so much free space. If that cannot be known, writing will show it.
    fn has_free(&self, bytes: u64) -> bool {
        self.floor.space_above(&self.directory).is_none_or(|available| bytes <= available)
    }

    fn full(&self, needed: u64) -> SpoolError {
        SpoolError::Full { needed, allowance: self.allowance.load(Ordering::Relaxed) }
    }
}

/// Space for a body. It is released when this is dropped.
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

    /// Reserves more, in the same place. Returns whether there is space.
    pub fn grow(&mut self, more: u64) -> bool {
        let fits = self.spool.take(self.place, self.bytes, more);
        if fits {
            self.bytes = self.bytes.saturating_add(more);
        }
        fits
    }

    /// Releases what exceeds this.
    pub fn shrink(&mut self, bytes: u64) {
        let excess = self.bytes.saturating_sub(bytes);
        self.spool.give_back(self.place, excess);
        self.bytes -= excess;
    }

    /// Reserves this space where the bodies go that do not fit in the directory. An error if it is there already.
    pub fn overflow(&self, bytes: u64) -> Result<Self, SpoolError> {
        if self.place == Place::Overflow || !self.spool.take(Place::Overflow, 0, bytes) {
            return Err(self.spool.full(bytes));
        }
        Ok(Self { spool: self.spool.clone(), bytes, place: Place::Overflow })
    }

    /// Whether there is another place to try.
    pub fn can_overflow(&self) -> bool {
        self.place == Place::Directory && self.spool.overflow.is_some()
    }

    /// Creates a file without a name in its place.
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

/// Creates a file without a name, which is removed when it is closed. A missing directory is created.
fn unnamed_file(directory: &Path) -> io::Result<File> {
    match tempfile::tempfile_in(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(directory)?;
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
    fn body_that_does_not_fit_goes_elsewhere_if_it_is_alone_there_or_fits() {
        let (directory, overflow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let spool = spool(directory.path(), Some(overflow.path()), 100);
        let mut large = spool.reserve(150).unwrap();
        assert_eq!((large.place, spool.arriving_bytes()), (Place::Overflow, 0));
        assert!(large.grow(50), "it is alone");
        assert!(spool.reserve(101).is_err() && large.overflow(1).is_err());
        assert_eq!(spool.reserve(100).unwrap().place, Place::Directory);
        drop(large);
        let kept = [spool.reserve(101).unwrap(), spool.reserve(90).unwrap()];
        assert!(kept[1].overflow(90).is_err(), "the other is there");
        assert_eq!(kept.map(|reservation| reservation.place), [Place::Overflow, Place::Directory]);
    }

    #[test]
    fn free_space_floor_keeps_bodies_out_of_the_directory() {
        let (directory, overflow) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let floor = FreeSpaceFloor::Percent(100);
        let spool = Arc::new(Spool::with(directory.path().into(), Some(overflow.path().into()), floor, u64::MAX));
        assert_eq!(spool.reserve(1).unwrap().place, Place::Overflow);
    }
}
