//! The directory of a store, which may be a mount that disappears or hangs.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::failure::StoreFailure;

/// The directory of a store.
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked while a thread checks the directory. On a mount that hangs, that takes forever, and each check would block another thread.
    checking: Arc<Mutex<()>>,
}

impl Directory {
    pub fn new(path: PathBuf) -> Self {
        Self { path, checking: Arc::default() }
    }

    /// Fails if the directory no longer exists. Otherwise, nothing would be found in it, and writing would create it.
    pub async fn check(&self) -> Result<(), StoreFailure> {
        let path = self.path.clone();
        self.check_with(move || path.is_dir()).await
    }

    async fn check_with(&self, exists: impl FnOnce() -> bool + Send + 'static) -> Result<(), StoreFailure> {
        let checking = self.checking.clone();
        // A task of its own gets the lock even if the caller is not polled, as a request in a stream of concurrent ones whose last result is
        // being handled, which may itself wait for the lock. It ends with the caller.
        let mut task = JoinSet::new();
        task.spawn(async move {
            let checking = checking.lock_owned().await;
            // If the caller stops waiting, the thread keeps the lock.
            let check = move || {
                let _checking = checking;
                exists()
            };
            tokio::task::spawn_blocking(check).await.unwrap_or(false)
        });
        let exists = task.join_next().await.is_some_and(|exists| exists.unwrap_or(false));
        if exists { Ok(()) } else { Err(StoreFailure::Missing("directory")) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn only_one_thread_waits_for_a_mount_that_hangs() {
        let directory = Directory::new(PathBuf::from("/"));
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let (release, hang) = mpsc::channel::<()>();
        let mut hanging = Box::pin(directory.check_with(move || {
            started.send(()).unwrap();
            hang.recv().is_ok()
        }));
        assert!((&mut hanging).now_or_never().is_none());
        starts.recv().await.unwrap();
        // The caller has no more time.
        drop(hanging);
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let mut next = Box::pin(directory.check_with(move || started.send(()).is_ok()));
        assert!((&mut next).now_or_never().is_none());
        assert!(directory.checking.try_lock().is_err());
        assert!(starts.try_recv().is_err(), "another thread was started");
        release.send(()).unwrap();
        next.await.unwrap();
        directory.check().await.unwrap();
    }

    #[tokio::test]
    async fn check_does_not_wait_for_one_that_is_not_polled() {
        let directory = Directory::new(PathBuf::from("/"));
        let (release, hang) = mpsc::channel::<()>();
        let mut first = Box::pin(directory.check_with(move || hang.recv().is_ok()));
        assert!((&mut first).now_or_never().is_none());
        let mut not_polled = Box::pin(directory.check());
        assert!((&mut not_polled).now_or_never().is_none());
        let mut last = Box::pin(directory.check());
        assert!((&mut last).now_or_never().is_none());
        release.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(60), last).await.unwrap().unwrap();
        not_polled.await.unwrap();
        first.await.unwrap();
    }
}
