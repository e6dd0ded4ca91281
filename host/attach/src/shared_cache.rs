//! A cache that several processes use: this process owns the directory, or is attached to its owner.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use media_cache::{Builder, CacheError, DirectoryLock, Media, MediaCache};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::AttachError;
use crate::options::DirectoryOptions;
use crate::sharing::Sharing;
use crate::takeover::{Shared, State};

/// A cache that several processes use. Cloning is cheap, and all clones refer to the same cache.
///
/// If this process is attached and the owner of the directory ends, calls in progress are repeated with the next owner, which may be this
/// process. So a call that has changed something may be carried out twice: a [`put`](Self::put) may report that the media was already
/// stored, and a [`remove`](Self::remove) that there was no entry.
#[derive(Clone)]
pub struct SharedCache(pub(crate) Arc<Shared>);

/// How this process uses the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It owns the directory, and runs the cache.
    Owner,
    /// It is attached to the process that owns the directory.
    Attached,
    /// The cache was closed.
    Closed,
}

/// Why a process that only attaches does not take over.
#[derive(Debug, thiserror::Error)]
#[error("the process that owned the directory has ended")]
struct NoOwner;

impl SharedCache {
    /// Opens a directory, or attaches to the process that owns it. Must be called within a Tokio runtime.
    ///
    /// When this process becomes the owner, `configure` returns the builder for the cache, whose directory is set afterwards. It may block, and
    /// gets the options of the directory: those of the first owner, and any others of `sharing`, which can be just [`DirectoryOptions`].
    ///
    /// # Errors
    /// See [`AttachError`].
    pub async fn open_or_attach<E>(
        directory: impl Into<PathBuf>,
        sharing: impl Into<Sharing>,
        configure: impl Fn(&DirectoryOptions) -> Result<Builder, E> + Send + Sync + 'static,
    ) -> Result<Self, AttachError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let sharing = sharing.into();
        let shared = Arc::new(Shared {
            directory: directory.into(),
            adopted: RwLock::new(sharing.options.clone()),
            sharing,
            configure: Box::new(move |options| configure(options).map_err(Into::into)),
            compiled: Mutex::default(),
            state: RwLock::new(State::Closed),
            changing: tokio::sync::Mutex::default(),
            interruptions: watch::Sender::new(0),
            closing: watch::Sender::new(false),
        });
        shared.enter(Instant::now(), None).await?;
        Ok(Self(shared))
    }

    /// Attaches to the process that owns a directory. `None` if no process uses the directory. Nothing is created. If the owner ends and no
    /// other process takes over, calls fail. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub async fn attach(directory: impl Into<PathBuf>, sharing: impl Into<Sharing>) -> Result<Option<Self>, AttachError> {
        let directory = directory.into();
        if !DirectoryLock::is_in(&directory) {
            return Ok(None);
        }
        match Self::open_or_attach(directory, sharing, |_| Err::<Builder, _>(NoOwner)).await {
            Err(AttachError::Configure(error)) if error.is::<NoOwner>() => Ok(None),
            attached => attached.map(Some),
        }
    }

    /// The directory of the entries.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// How this process uses the directory at the moment.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.0.state() {
            State::Owner(..) => Role::Owner,
            State::Attached(_) | State::HandedOver => Role::Attached,
            State::Closed => Role::Closed,
        }
    }

    /// The options of the directory.
    #[must_use]
    pub fn options(&self) -> DirectoryOptions {
        self.0.adopted()
    }

    /// Whether [`remove`](Self::remove) also removes [copies](media_cache::Copies), according to the process that owns the directory.
    #[must_use]
    pub fn has_copies(&self) -> bool {
        match self.0.state() {
            State::Owner(cache, _) => cache.has_copies(),
            State::Attached(client) => client.has_copies(),
            State::HandedOver | State::Closed => false,
        }
    }

    /// The cache itself, if this process owns the directory.
    #[must_use]
    pub fn owned(&self) -> Option<MediaCache> {
        match &*self.0.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Owner(cache, _) => Some(cache.clone()),
            State::Attached(_) | State::HandedOver | State::Closed => None,
        }
    }

    /// Returns the media stored for `url` if its bytes are in the memory of this process, and counts the hit. Never blocks. Always `None`
    /// in an attached process.
    #[must_use]
    pub fn get_resident(&self, url: &str) -> Option<Media> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let State::Owner(cache, _) = &*state else { return None };
        let hit = cache.resident_hit(url)?;
        hit.media().body.in_memory().is_some().then(|| hit.count())
    }

    /// Stops using the cache. If this process owns the directory, this finishes the work in progress, completes the index log, and releases
    /// the directory, so that an attached process can take over. If this process is just taking over, it stops doing so. This also closes all
    /// clones.
    ///
    /// # Errors
    /// As for [`MediaCache::close`].
    pub async fn close(&self) -> Result<(), CacheError> {
        self.0.closing.send_replace(true);
        let _changing = self.0.changing.lock().await;
        match self.0.set(State::Closed) {
            State::Owner(cache, listener) => {
                if let Some(listener) = listener.lock().await.take() {
                    listener.stop().await;
                }
                cache.close().await
            }
            State::Attached(_) | State::HandedOver => Ok(()),
            State::Closed => Err(CacheError::Closed),
        }
    }
}
