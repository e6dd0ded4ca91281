//! Watches the directory, which may be removed, replaced, unmounted or made read-only while the cache has it open.
//!
//! If the directory or its lock file is replaced, the cache needs a new lock and a new instance of the component. While the directory is
//! gone, or another process uses the new one, the current instance continues with the files that it has open. It ends immediately only if
//! another process may be using the same directory.
//!
//! All of this runs on the driver thread, so the watchdog notices if the file system hangs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::sync::Notify;

use crate::availability::{Availability, Trouble};
use crate::directory_lock::{DirectoryLock, LockError, Standing};
use crate::watchdog::Heartbeat;

/// How often the directory is checked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The number of heartbeats between two checks.
const BEATS: u32 = 10;

/// A directory that is locked and watched.
pub(crate) struct DirectoryWatch {
    path: PathBuf,
    /// `None` while another process holds the lock on the same directory.
    lock: Mutex<Option<DirectoryLock>>,
    availability: Arc<Availability>,
    /// Notified when the instance of the component has to end, because its directory or lock was replaced.
    replaced: Notify,
}

impl DirectoryWatch {
    pub fn new(path: PathBuf, lock: DirectoryLock, availability: Arc<Availability>) -> Self {
        Self { path, lock: Mutex::new(Some(lock)), availability, replaced: Notify::new() }
    }

    /// Whether the directory may be used.
    pub fn is_ours(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Whether the directory that has this path now is the one that is locked. This reads the file system.
    pub fn is_locked(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.is_some() && DirectoryLock::standing(lock.as_ref(), &self.path) == Standing::Ours
    }

    /// Waits until the instance of the component has to end.
    pub async fn replaced(&self) {
        self.replaced.notified().await;
    }

    /// Sends heartbeats and checks the directory, as long as the thread runs.
    pub async fn keep_watching(self: Arc<Self>, heartbeat: Arc<Heartbeat>) {
        let mut beats = tokio::time::interval(INTERVAL / BEATS);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for beat in (0..BEATS).cycle() {
            beats.tick().await;
            if beat == 0 {
                self.look();
            }
            heartbeat.beat();
        }
    }

    fn look(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = DirectoryLock::standing(lock.as_ref(), &self.path);
        match standing {
            Standing::Ours => {}
            Standing::Gone(error) => {
                let gone = format!("the directory {} is gone ({error})", self.path.display());
                return self.availability.begin(Trouble::Directory, gone);
            }
            Standing::DirectoryReplaced | Standing::LockReplaced => match DirectoryLock::acquire_existing(&self.path) {
                Ok(new) => {
                    tracing::warn!(
                        "{} or its lock was replaced; restarting the cache with the current directory",
                        self.path.display()
                    );
                    *lock = Some(new);
                    self.replaced.notify_one();
                }
                Err(error) => {
                    let is_in_use = matches!(error, LockError::InUse { .. });
                    if is_in_use && standing == Standing::LockReplaced && lock.take().is_some() {
                        self.replaced.notify_one();
                    }
                    return self.availability.begin(Trouble::Directory, error.to_string());
                }
            },
        }
        match check_writable(&self.path) {
            Ok(()) => self.availability.end(Trouble::Directory),
            Err(why) => {
                let unusable = format!("cannot store anything in the directory {}: {why}", self.path.display());
                self.availability.begin(Trouble::Directory, unusable);
            }
        }
    }
}

/// Checks whether files can be created in a directory, as far as possible without creating one.
fn check_writable(directory: &Path) -> std::io::Result<()> {
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn watch(path: &Path) -> (Arc<Availability>, DirectoryWatch) {
        let availability = Arc::<Availability>::default();
        let lock = DirectoryLock::acquire(path).unwrap();
        (availability.clone(), DirectoryWatch::new(path.into(), lock, availability))
    }

    fn trouble(availability: &Availability) -> String {
        availability.directory_trouble().map_or_else(String::new, |trouble| trouble.reason)
    }

    async fn is_replaced(watch: &DirectoryWatch) -> bool {
        futures::FutureExt::now_or_never(watch.replaced()).is_some()
    }

    #[tokio::test]
    async fn removed_directory_is_reported_and_its_replacement_is_locked() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        let (availability, watch) = watch(&path);
        watch.look();
        assert_eq!((trouble(&availability).as_str(), is_replaced(&watch).await), ("", false));
        assert!(watch.is_locked());
        fs::remove_dir_all(&path).unwrap();
        assert!(!watch.is_locked());
        watch.look();
        assert!(trouble(&availability).contains("is gone"), "{}", trouble(&availability));
        assert!(!path.exists() && !is_replaced(&watch).await && watch.is_ours());
        fs::create_dir(&path).unwrap();
        assert!(!watch.is_locked());
        watch.look();
        assert!(watch.is_locked());
        assert_eq!((trouble(&availability).as_str(), is_replaced(&watch).await), ("", true));
        assert!(DirectoryLock::acquire(&path).is_err(), "it is locked");
    }

    #[tokio::test]
    async fn replacement_directory_is_used_once_another_process_unlocks_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        let (availability, watch) = watch(&path);
        fs::rename(&path, root.path().join("old")).unwrap();
        let other = DirectoryLock::acquire(&path).unwrap();
        watch.look();
        assert!(trouble(&availability).contains("in use by another"), "{}", trouble(&availability));
        assert!(watch.is_ours() && !is_replaced(&watch).await, "the old directory is still usable");
        drop(other);
        watch.look();
        assert_eq!((trouble(&availability).as_str(), is_replaced(&watch).await), ("", true));
    }

    #[tokio::test]
    async fn directory_is_not_used_while_another_process_holds_its_lock() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        let (availability, watch) = watch(&path);
        fs::remove_file(path.join("media-cache.lock")).unwrap();
        let other = DirectoryLock::acquire(&path).unwrap();
        watch.look();
        assert!(trouble(&availability).contains("in use by another"), "{}", trouble(&availability));
        assert!(!watch.is_ours() && is_replaced(&watch).await);
        watch.look();
        assert!(!watch.is_ours() && !is_replaced(&watch).await);
        let moved = root.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        watch.look();
        assert!(trouble(&availability).contains("is gone"), "{}", trouble(&availability));
        fs::rename(&moved, &path).unwrap();
        drop(other);
        watch.look();
        assert!(watch.is_ours() && is_replaced(&watch).await && trouble(&availability).is_empty());
    }

    #[tokio::test]
    async fn directory_whose_lock_file_cannot_be_recreated_remains_in_use() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        let (availability, watch) = watch(&path);
        let lock = path.join("media-cache.lock");
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        watch.look();
        assert!(trouble(&availability).contains("cannot use"), "{}", trouble(&availability));
        assert!(watch.is_ours() && !is_replaced(&watch).await, "no other process holds the lock");
        fs::remove_dir(&lock).unwrap();
        watch.look();
        assert_eq!((trouble(&availability).as_str(), is_replaced(&watch).await), ("", true));
    }
}
