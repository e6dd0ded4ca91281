//! Gives a directory to a process that has to own it, such as a service.
//!
//! That process holds a lock on a file. As long as it does, no attached process takes over. If the directory has an owner that could just as
//! well attach, that owner is asked to hand the directory over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use media_cache::{DirectoryLock, ListedDescriptor, LockError, OWN_DIRECTORY};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::handshake::ConnectError;
use crate::messages::{Answer, Call};
use crate::options::DirectoryOptions;

/// The name of the locked file.
const FILE: &str = "claim";

/// How long to wait for a process that uses the directory without sharing it: it may be about to end, or be starting.
const MAX_BUSY: Duration = Duration::from_secs(3);

/// How long to wait for another process that is claiming the directory, and for an owner that hands it over and finishes its work first.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(40);

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// The claim of a process to own a directory. Attached processes wait until this is dropped, and then attach to the new owner.
#[derive(Debug)]
pub struct Claim {
    // Its lock is released when it is closed.
    _file: File,
}

/// Why a directory cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process uses the directory, or the directory cannot be used at all.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The owner of the directory cannot attach to this process.
    #[error("{} is in use by a process that cannot attach to this one: {why}", path.display())]
    Conflict {
        /// The directory.
        path: PathBuf,
        /// Why that process does not hand the directory over.
        why: String,
    },
}

impl Claim {
    /// Claims a directory, which is created if it does not exist, for a process with these options, and asks its owner, if it has one, to
    /// hand it over. This waits for up to 40 seconds for that, and for another process that is claiming the directory. Dropping the future
    /// gives the claim up. Must be called within a Tokio runtime.
    ///
    /// Afterwards, open the cache, [listen](crate::Listener::start), and drop the claim.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub async fn take(directory: impl Into<PathBuf>, options: &DirectoryOptions) -> Result<Self, ClaimError> {
        let directory = directory.into();
        let begun = Instant::now();
        // Whether or not this succeeds, it creates the directory for the file.
        if let Err(error @ LockError::Unusable { .. }) = acquire(&directory).await {
            return Err(error.into());
        }
        let claim = loop {
            match try_lock(file(&directory)).await {
                Ok(Some(claim)) => break claim,
                Ok(None) if begun.elapsed() > MAX_WAIT => return Err(in_use(&directory).into()),
                Ok(None) => sleep(PAUSE).await,
                Err(error) => return Err(LockError::Unusable { path: file(&directory), error }.into()),
            }
        };
        let begun = Instant::now();
        let mut max_wait = MAX_BUSY;
        let mut acquired = acquire(&directory).await;
        loop {
            match acquired {
                Ok(()) => return Ok(claim),
                Err(error @ LockError::InUse { .. }) if begun.elapsed() > max_wait => return Err(error.into()),
                Err(LockError::InUse { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match ask_to_hand_over(&directory, options).await {
                Reply::Yes => max_wait = MAX_WAIT,
                Reply::Absent => {}
                Reply::No(None) => return Err(in_use(&directory).into()),
                Reply::No(Some(why)) => return Err(ClaimError::Conflict { path: directory, why }),
            }
            sleep(PAUSE).await;
            acquired = acquire(&directory).await;
        }
    }

    /// Whether a process claims a directory.
    #[must_use]
    pub fn is_made(directory: &Path) -> bool {
        let Ok(file) = File::open(file(directory)) else { return false };
        // Dropped first.
        let _listed = ListedDescriptor::new(&file);
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn file(directory: &Path) -> PathBuf {
    directory.join(OWN_DIRECTORY).join(FILE)
}

/// The error that names the process which uses a directory.
fn in_use(directory: &Path) -> LockError {
    match DirectoryLock::acquire(directory) {
        Err(error) => error,
        Ok(_) => LockError::InUse { path: directory.into(), holder: None },
    }
}

/// Locks the file, unless another process has.
async fn try_lock(path: PathBuf) -> io::Result<Option<Claim>> {
    let lock = move || {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    };
    tokio::task::spawn_blocking(lock).await.map_err(io::Error::other)?
}

/// Locks a directory for a moment, to find out whether it is in use.
async fn acquire(directory: &Path) -> Result<(), LockError> {
    let path = directory.to_owned();
    let acquired = tokio::task::spawn_blocking(move || DirectoryLock::acquire(&path).map(drop)).await;
    acquired.unwrap_or_else(|error| Err(LockError::Unusable { path: directory.into(), error: io::Error::other(error) }))
}

/// What the owner of a directory replies.
enum Reply {
    /// It hands the directory over.
    Yes,
    /// It keeps the directory, possibly because of a conflict.
    No(Option<String>),
    /// There is no owner that replies. It may be starting or stopping.
    Absent,
}

async fn ask_to_hand_over(directory: &Path, options: &DirectoryOptions) -> Reply {
    let owner = match Client::connect(directory).await {
        Ok(owner) => owner,
        Err(ConnectError::Final(_)) => return Reply::No(None),
        Err(ConnectError::Absent(_) | ConnectError::Full(_)) => return Reply::Absent,
    };
    match owner.call(&Call::HandOver { options: options.clone() }, None).await {
        Ok((Answer::Done, _)) => Reply::Yes,
        Ok((Answer::NotHandedOver(why), _)) => Reply::No(why),
        _ => Reply::Absent,
    }
}
