//! Measures the disk usage that only the host can measure: arriving bodies, removed files that are still open, and its own files.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use media_cache_interfaces::{Blob, FreeSpaceFloor, Spool, WeakBlob};

use crate::private_files::OWN_DIRECTORY;

/// The files of the component in our directory. The component counts them itself.
const INDEX_LOG: [&str; 2] = ["index.log", "index.log.new"];

/// How long a count of the host's files is reused. These files rarely change.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// Disk usage that only the host can measure.
pub(crate) struct DiskUsage {
    spool: Arc<Spool>,
    /// The part of the budget that is reserved for everything but entries, in bytes, if the spool is in our directory.
    reserved: Option<u64>,
    pub removed: Arc<RemovedFiles>,
    /// The space to leave free on the file system.
    pub min_free: FreeSpaceFloor,
    /// The directory for everything but the entries.
    own_directory: PathBuf,
    files: Option<(Instant, OwnFiles)>,
}

/// The disk space of the files in our directory, in bytes.
#[derive(Clone, Copy, Default)]
struct OwnFiles {
    of_host: u64,
    index_log: u64,
}

/// The disk space of everything that only the host can measure, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostUsage {
    pub arriving: u64,
    pub removed: u64,
    pub host_files: u64,
}

/// The unit of disk space, in bytes.
const BLOCK: u64 = 4096;

impl DiskUsage {
    /// `reserved` is the part of the budget that is reserved for everything but entries, in bytes.
    pub fn new(
        spool: Arc<Spool>,
        reserved: u64,
        removed: Arc<RemovedFiles>,
        min_free: FreeSpaceFloor,
        own_directory: PathBuf,
    ) -> Self {
        let is_inside = absolute(spool.directory()).starts_with(absolute(&own_directory));
        Self { spool, reserved: is_inside.then_some(reserved), removed, min_free, own_directory, files: None }
    }

    /// Measures the disk usage. This also sets the space that arriving bodies may use: the unused rest of the reserved part of the budget,
    /// but at most three quarters of the reserved part.
    pub fn measure(&mut self) -> HostUsage {
        let (files, removed) = (self.own_files(), self.removed.bytes());
        let mut arriving = 0;
        if let Some(reserved) = self.reserved {
            arriving = self.spool.arriving_bytes().next_multiple_of(BLOCK);
            let left = reserved.saturating_sub(files.of_host).saturating_sub(files.index_log).saturating_sub(removed);
            self.spool.set_allowance(left.min(reserved / 4 * 3));
        }
        HostUsage { arriving, removed, host_files: files.of_host }
    }

    /// The files in our directory, counted at most a second ago. If they cannot be counted, returns the previous count.
    fn own_files(&mut self) -> OwnFiles {
        if let Some((counted, files)) = self.files
            && counted.elapsed() < COUNTED_FOR
        {
            return files;
        }
        let mut files = OwnFiles::default();
        if count_files(&self.own_directory, true, &mut files).is_err() {
            files = self.files.map_or(files, |(_, files)| files);
        }
        self.files = Some((Instant::now(), files));
        files
    }
}

/// Resolves a path to an absolute path. Its last component does not have to exist.
fn absolute(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (path.canonicalize(), parent.canonicalize(), path.file_name()) {
        (Ok(path), ..) => path,
        (_, Ok(parent), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    }
}

/// Adds up the disk space of the files in a directory and its subdirectories.
fn count_files(directory: &Path, is_own: bool, files: &mut OwnFiles) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // Files that have been removed in the meantime use no space.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            count_files(&entry.path(), false, files)?;
        } else if metadata.is_file() {
            let is_log = is_own && INDEX_LOG.iter().any(|name| entry.file_name() == *name);
            *(if is_log { &mut files.index_log } else { &mut files.of_host }) += metadata.blocks() * 512;
        }
    }
    Ok(())
}

/// The default spool of a cache in `directory`. The spool is inside that directory. See [`Builder::spool`](crate::Builder::spool).
#[must_use]
pub fn spool_in(directory: &Path, floor: FreeSpaceFloor) -> Arc<Spool> {
    Spool::new(directory.join(OWN_DIRECTORY), floor)
}

/// Files that the component no longer holds, but others still do. They may have been removed; if so, they use space until they are closed.
#[derive(Default)]
pub(crate) struct RemovedFiles(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    blobs: Vec<WeakBlob>,
    /// Once this many blobs are watched, those that are no longer in use are dropped from the list.
    limit: usize,
}

/// Up to this many blobs are watched without checking whether they are still held.
const FEW: usize = 64;

impl RemovedFiles {
    /// Watches a blob whose handle the component has dropped, or passed to a caller.
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
        // A file may be open several times, but is counted once.
        let mut files = HashMap::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).blobs.retain(|blob| match blob.upgrade() {
            Some(blob) => {
                files.extend(blob.removed_file());
                true
            }
            None => false,
        });
        files.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn own_files_are_counted_in_blocks_and_separately_from_the_index_log() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("own");
        let spool = Spool::new(own.clone(), FreeSpaceFloor::default());
        let mut usage = DiskUsage::new(spool, 1 << 20, Arc::default(), FreeSpaceFloor::default(), own.clone());
        assert_eq!(usage.measure().host_files, 0, "the directory does not exist yet");
        fs::create_dir_all(own.join("policies")).unwrap();
        for (name, bytes) in
            [("policy.json", 10), ("policies/a", 4097), ("index.log", 5000), ("index.log.new", 5000), ("policies/index.log", 1)]
        {
            fs::write(own.join(name), vec![b'x'; bytes]).unwrap();
        }
        std::os::unix::fs::symlink("/proc/kcore", own.join("link")).unwrap();
        assert_eq!(usage.measure().host_files, 0, "the recent count is reused");
        usage.files = None;
        assert_eq!(usage.measure(), HostUsage { arriving: 0, removed: 0, host_files: 4 * 4096 });
        let files = usage.own_files();
        assert_eq!((files.of_host, files.index_log), (4 * 4096, 4 * 4096));
        usage.files = None;
        fs::remove_dir_all(&own).unwrap();
        fs::write(&own, "no directory").unwrap();
        assert_eq!(usage.measure().host_files, 0);
    }

    #[test]
    fn spool_inside_the_directory_is_detected_however_its_path_is_written() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("own");
        let usage = |spool: PathBuf| {
            let spool = Spool::new(spool, FreeSpaceFloor::default());
            DiskUsage::new(spool, 1, Arc::default(), FreeSpaceFloor::default(), own.clone()).reserved
        };
        assert_eq!((usage(root.path().join("./own")), usage(root.path().join("other"))), (Some(1), None));
        fs::create_dir(&own).unwrap();
        assert_eq!((usage(own.join("../own")), usage(root.path().join("own2"))), (Some(1), None));
    }

    #[test]
    fn removed_files_count_while_they_are_open() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, vec![b'x'; 5000]).unwrap();
        let removed = RemovedFiles::default();
        let open = || Blob::from_file(Arc::new(File::open(&path).unwrap())).unwrap();
        let (blob, other) = (open(), open());
        [&blob, &blob.clone(), &other].iter().for_each(|blob| removed.watch(blob));
        removed.watch(&Blob::from("memory"));
        assert_eq!(removed.bytes(), 0, "the file still has a name");
        fs::remove_file(&path).unwrap();
        assert_eq!(removed.bytes(), 8192, "both blobs refer to the same file");
        drop(blob);
        assert_eq!(removed.bytes(), 8192);
        drop(other);
        assert_eq!(removed.bytes(), 0);
    }

    #[test]
    fn dropped_blobs_of_removed_files_do_not_accumulate() {
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
