//! Gives a directory to a process that has to own it, such as a service.
//!
//! That process holds a lock on a file. As long as it does, no attached process takes over. If the directory has an owner that could just as
//! well attach, that owner is asked to hand the directory over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use media_cache::{DirectoryLock, LockError, OWN_DIRECTORY};
use tokio::time::Instant;

use crate::client::Client;
use crate::messages::{Answer, Call};

/// The name of the locked file.
const FILE: &str = "claim";

/// How long to wait for an owner that hands the directory over, and finishes its work in progress first.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The pause between two attempts to lock the directory.
const PAUSE: Duration = Duration::from_millis(10);

/// The claim of a process to own a directory. Attached processes wait until this is dropped, and then attach to the new owner.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "its lock is released when it is closed")] File);

impl Claim {
    /// Claims a directory, which is created if it does not exist, and asks its owner, if it has one, to hand it over. This waits for up to 30
    /// seconds for that, and for another process that is claiming the directory. Must be called within a Tokio runtime.
    ///
    /// Afterwards, open the cache, [listen](crate::Listener::start), and drop the claim. Opening it fails if the owner has not handed the
    /// directory over: a service never does.
    ///
    /// # Errors
    /// The directory cannot be used at all.
    pub async fn take(directory: impl Into<PathBuf>) -> Result<Self, LockError> {
        let directory = directory.into();
        let is_in_use = is_in_use(&directory).await?;
        let path = file(&directory);
        let unusable = |error| LockError::Unusable { path: path.clone(), error };
        let locked = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || {
                let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
                file.lock()?;
                Ok(file)
            })
        };
        let locked: io::Result<File> = locked.await.map_err(io::Error::other).and_then(|locked| locked);
        let claim = Self(locked.map_err(unusable)?);
        if is_in_use && is_handed_over(&directory).await {
            let begun = Instant::now();
            while self::is_in_use(&directory).await? && begun.elapsed() < MAX_WAIT {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(claim)
    }

    /// Whether a process claims a directory.
    pub(crate) fn is_made(directory: &Path) -> bool {
        let file = File::open(file(directory));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn file(directory: &Path) -> PathBuf {
    directory.join(OWN_DIRECTORY).join(FILE)
}

async fn is_in_use(directory: &Path) -> Result<bool, LockError> {
    let path = directory.to_owned();
    let acquired = tokio::task::spawn_blocking(move || DirectoryLock::acquire(&path).map(drop)).await;
    match acquired.map_err(io::Error::other) {
        Ok(Ok(())) => Ok(false),
        Ok(Err(LockError::InUse { .. })) => Ok(true),
        Ok(Err(error)) => Err(error),
        Err(error) => Err(LockError::Unusable { path: directory.into(), error }),
    }
}

/// Asks the owner of a directory to hand it over. Returns whether it does.
async fn is_handed_over(directory: &Path) -> bool {
    let Ok(owner) = Client::connect(directory).await else { return false };
    matches!(owner.call(&Call::HandOver, None).await, Ok((Answer::Done, _)))
}
