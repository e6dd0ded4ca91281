//! The disk space that a cache takes up outside of its entries, as far as only the host knows of it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use media_cache_interfaces::{Blob, FreeSpaceFloor, Spool, WeakBlob};

use crate::private_files::OWN_DIRECTORY;

/// The files of the component in our directory, which it accounts for, begin with this.
const INDEX_LOG: &str = "index.log";

/// How long a count of the host's files is used. They rarely change.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// What only the host knows of the disk space.
pub(crate) struct DiskUsage {
    spool: Arc<Spool>,
    pub removed: Arc<RemovedFiles>,
    /// What stays free on the file system.
    pub min_free: FreeSpaceFloor,
    /// The one for everything but the entries.
    own_directory: PathBuf,
    host_files: Option<(Instant, u64)>,
}

/// What disk space is counted in, in bytes.
const BLOCK: u64 = 4096;

impl DiskUsage {
    pub fn new(spool: Arc<Spool>, removed: Arc<RemovedFiles>, min_free: FreeSpaceFloor, own_directory: PathBuf) -> Self {
        Self { spool, removed, min_free, own_directory, host_files: None }
    }

    /// The disk space of bodies that are arriving there, in bytes.
    pub fn arriving_bytes(&self) -> u64 {
        let counts = self.spool.directory().starts_with(&self.own_directory);
        if counts { self.spool.arriving_bytes().next_multiple_of(BLOCK) } else { 0 }
    }

    /// The disk space of the host's files in the directory of the cache, in bytes, not older than a second.
    pub fn host_files(&mut self) -> io::Result<u64> {
        if let Some((counted, bytes)) = self.host_files
            && counted.elapsed() < COUNTED_FOR
        {
            return Ok(bytes);
        }
        let bytes = disk_size_of_files(&self.own_directory)?;
        self.host_files = Some((Instant::now(), bytes));
        Ok(bytes)
    }
}

/// The disk space of the files in a directory and those below it, without those of the index log.
fn disk_size_of_files(directory: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        // Whatever is removed meanwhile takes up nothing.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            bytes += disk_size_of_files(&entry.path())?;
        } else if metadata.is_file() && !entry.file_name().as_encoded_bytes().starts_with(INDEX_LOG.as_bytes()) {
            bytes += metadata.blocks() * 512;
        }
    }
    Ok(bytes)
}

/// Where large bodies arrive for a cache in this directory: within it. See [`Builder::spool`](crate::Builder::spool).
#[must_use]
pub fn spool_in(directory: &Path, floor: FreeSpaceFloor) -> Arc<Spool> {
    Spool::new(directory.join(OWN_DIRECTORY), floor)
}

/// Files that the component no longer holds, but someone else: they may have been removed, and take up space until they are closed.
#[derive(Default)]
pub(crate) struct RemovedFiles(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    blobs: Vec<WeakBlob>,
    /// At this number, those that nobody holds any more are removed.
    limit: usize,
}

/// The number of blobs that are kept without a look at whether someone still holds them.
const FEW: usize = 64;

impl RemovedFiles {
    /// Watches a blob that the component has released or given to a caller.
    pub fn watch(&self, blob: &Blob) {
        if !blob.release() {
            return;
        }
        let watched = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.blobs.len() >= watched.limit {
            watched.blobs.retain(|blob| blob.upgrade().is_some());
            watched.limit = FEW + 2 * watched.blobs.len();
        }
        watched.blobs.push(blob.downgrade());
    }

    /// The disk space of removed files that are still open, in bytes.
    pub fn bytes(&self) -> u64 {
        let mut bytes = 0;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).blobs.retain(|blob| match blob.upgrade() {
            Some(blob) => {
                bytes += blob.removed_bytes();
                true
            }
            None => false,
        });
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn host_files_count_in_blocks_without_the_index_log() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("own");
        let mut usage = DiskUsage::new(Spool::temporary(), Arc::default(), FreeSpaceFloor::default(), own.clone());
        assert_eq!(usage.host_files().unwrap(), 0, "there is no directory");
        fs::create_dir_all(own.join("policies")).unwrap();
        for (name, bytes) in [("policy.json", 10), ("policies/a", 4097), ("index.log", 5000), ("index.log.new", 5000)] {
            fs::write(own.join(name), vec![b'x'; bytes]).unwrap();
        }
        std::os::unix::fs::symlink("/proc/kcore", own.join("link")).unwrap();
        assert_eq!(usage.host_files().unwrap(), 0, "it was counted just before");
        usage.host_files = None;
        assert_eq!(usage.host_files().unwrap(), 3 * 4096);
    }

    #[test]
    fn removed_files_count_while_they_are_open() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, vec![b'x'; 5000]).unwrap();
        let removed = RemovedFiles::default();
        let open = || Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
        let (blob, other) = (open(), open());
        [&blob, &blob.clone()].iter().for_each(|blob| removed.watch(blob));
        removed.watch(&Blob::from("memory"));
        assert_eq!(removed.bytes(), 0, "it has a name");
        fs::remove_file(&path).unwrap();
        assert_eq!(removed.bytes(), 8192);
        drop((blob, other));
        assert_eq!(removed.bytes(), 0);
    }

    #[test]
    fn blobs_that_nobody_holds_do_not_accumulate() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "bytes").unwrap();
        let removed = RemovedFiles::default();
        for _ in 0..1000 {
            removed.watch(&Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap());
        }
        assert!(removed.0.lock().unwrap().blobs.len() <= FEW);
    }
}
