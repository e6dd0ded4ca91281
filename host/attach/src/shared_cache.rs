//! A cache that several processes use: this process owns the directory, or is attached to its owner.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use media_cache::{
    Builder, CacheError, DirectoryLock, Downloader, EntryFilter, FetchError, FetchedMedia, Health, LoadReport, LockError, Media,
    MediaCache, OpenError, Outage, Page, PolicySpec, PolicyStatus, PutOutcome, RefreshOutcome, Status,
};
use tokio::time::Instant;

use crate::bodies::sendable;
use crate::client::{CallFailure, Client, ConnectError, unexpected};
use crate::error::AttachError;
use crate::listener::{Listener, get_or_download, swap_policy};
use crate::messages::{Answer, Call, MediaHead};
use crate::options::DirectoryOptions;
use crate::retained_download::RetainedDownload;

/// How long to wait for a directory that another process uses and does not share. The process may be starting or stopping, or be a
/// maintenance command.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The pause between two attempts to open a directory or attach to it.
const PAUSE: Duration = Duration::from_millis(10);

/// The pause after taking over the directory has failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

type Configure = dyn Fn(&DirectoryOptions) -> Result<Builder, Box<dyn std::error::Error + Send + Sync>> + Send + Sync;

/// A cache that several processes use. Cloning is cheap, and all clones refer to the same cache.
///
/// If this process is attached and the owner of the directory ends, calls in progress are repeated with the next owner, which may be this
/// process. So a call that has changed something may be carried out twice: a [`put`](Self::put) may report that the media was already
/// stored, and a [`remove`](Self::remove) that there was no entry.
#[derive(Clone)]
pub struct SharedCache(Arc<Shared>);

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

/// Why the policy was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The policy cannot be used, or could not be replaced.
    #[error("{0}")]
    Kept(String),
    /// The owner of the directory cannot be reached, or the cache was closed.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

struct Shared {
    directory: PathBuf,
    /// The options that this process has set.
    options: DirectoryOptions,
    /// The options of the directory, once they are known.
    adopted: RwLock<DirectoryOptions>,
    configure: Box<Configure>,
    /// A builder with compiled components and the options that it has, for when this attached process takes over.
    compiled: Mutex<Option<(DirectoryOptions, Builder)>>,
    state: RwLock<State>,
    /// Locked while the state changes.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
enum State {
    Owner(MediaCache, Arc<tokio::sync::Mutex<Option<Listener>>>),
    Attached(Arc<Client>),
    Closed,
}

impl SharedCache {
    /// Opens a directory, or attaches to the process that owns it. Must be called within a Tokio runtime.
    ///
    /// `options` are the options that this process sets explicitly. If it attaches, they must not differ from those of the owner. When this
    /// process becomes the owner, `configure` returns the builder for the cache, whose directory is set afterwards. It gets the options of
    /// the directory: those of the first owner, or else `options`.
    ///
    /// # Errors
    /// See [`AttachError`]. If another process uses the directory and does not share it, this waits for up to 30 seconds first.
    pub async fn open_or_attach<E>(
        directory: impl Into<PathBuf>,
        options: DirectoryOptions,
        configure: impl Fn(&DirectoryOptions) -> Result<Builder, E> + Send + Sync + 'static,
    ) -> Result<Self, AttachError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let shared = Arc::new(Shared {
            directory: directory.into(),
            adopted: RwLock::new(options.clone()),
            options,
            configure: Box::new(move |options| configure(options).map_err(Into::into)),
            compiled: Mutex::default(),
            state: RwLock::new(State::Closed),
            changing: tokio::sync::Mutex::default(),
        });
        shared.enter(Instant::now() + MAX_WAIT).await?;
        Ok(Self(shared))
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
            State::Attached(_) => Role::Attached,
            State::Closed => Role::Closed,
        }
    }

    /// The options of the directory.
    #[must_use]
    pub fn options(&self) -> DirectoryOptions {
        self.0.adopted()
    }

    /// The cache itself, if this process owns the directory.
    #[must_use]
    pub fn owned(&self) -> Option<MediaCache> {
        match &*self.0.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Owner(cache, _) => Some(cache.clone()),
            State::Attached(_) | State::Closed => None,
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

    /// See [`MediaCache::get`].
    ///
    /// # Errors
    /// As for [`MediaCache::get`]; [`CacheError::Unavailable`] if the directory can neither be attached to nor taken over.
    pub async fn get(&self, url: &str) -> Result<Option<Media>, CacheError> {
        let own = |cache: MediaCache| async move { cache.get(url).await };
        let call = &Call::Get { url: url.into() };
        let remote = |client: Arc<Client>| async move {
            match client.call(call, None).await? {
                (Answer::Media(None), _) => Ok(None),
                (Answer::Media(Some(head)), body) => Ok(Some(head.with(body)?)),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::get_or_download`]. The owner of the directory downloads the media. Unless this process is the owner, the body is
    /// complete.
    ///
    /// # Errors
    /// As for [`MediaCache::get_or_download`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn get_or_download(&self, url: &str) -> Result<Media, CacheError> {
        let own = |cache: MediaCache| async move { get_or_download(&cache, url, None::<&RetainedDownload>).await };
        let call = &Call::GetOrDownload { url: url.into(), has_downloader: false };
        let remote = |client: Arc<Client>| async move {
            match client.call(call, None).await? {
                (Answer::Media(Some(head)), body) => Ok(head.with(body)?),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::get_or_download_with`]. `downloader` runs in this process. The calls of all processes for the same media share one
    /// download; if the process that runs it ends, another one downloads the media. Unless this process is the owner, the body is complete.
    /// If this future is dropped, the download continues.
    ///
    /// # Errors
    /// As for [`get_or_download`](Self::get_or_download). If `downloader` fails, this and the coalesced calls in this process get the failure
    /// with its [cause](media_cache::CustomFailure::cause); calls in other processes get one with the same message.
    pub async fn get_or_download_with(&self, url: &str, downloader: impl Downloader) -> Result<Media, CacheError> {
        if let Some(media) = self.get_resident(url) {
            return Ok(media);
        }
        let (this, url, downloader) = (self.clone(), url.to_owned(), RetainedDownload::new(downloader));
        let task = tokio::spawn(async move {
            let (url, downloader) = (&url, &downloader);
            let own = |cache: MediaCache| async move { get_or_download(&cache, url, Some(downloader)).await };
            let remote = |client: Arc<Client>| async move { client.get_or_download(url, downloader).await };
            this.run(own, remote).await
        });
        task.await.unwrap_or_else(|error| Err(FetchError::Other(format!("the downloader panicked: {error}")).into()))
    }

    /// See [`MediaCache::refresh`].
    ///
    /// # Errors
    /// As for [`MediaCache::refresh`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn refresh(&self, url: &str) -> Result<RefreshOutcome, CacheError> {
        let own = |cache: MediaCache| async move { cache.refresh(url).await };
        let call = &Call::Refresh { url: url.into() };
        let remote = |client: Arc<Client>| async move {
            match client.call(call, None).await? {
                (Answer::Refreshed { media, modified, not_stored }, body) => {
                    Ok(RefreshOutcome { media: media.with(body)?, modified, not_stored: not_stored.map(|error| error.0) })
                }
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::put_media`].
    ///
    /// # Errors
    /// As for [`MediaCache::put_media`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn put(&self, url: &str, media: FetchedMedia) -> Result<PutOutcome, CacheError> {
        media.body.finished().await?;
        let media = &media;
        let own = |cache: MediaCache| async move { cache.put_media(url, media.clone()).await };
        let call = &Call::Put { url: url.into(), media: MediaHead::of_fetched(media) };
        let remote = |client: Arc<Client>| async move {
            let unreadable = |error| CacheError::Fetch(FetchError::Other(format!("the body cannot be read: {error}")));
            let body = sendable(&media.body).await.map_err(unreadable)?;
            match client.call(call, Some(&body)).await? {
                (Answer::Put { media, known, not_stored }, body) => {
                    Ok(PutOutcome { media: media.with(body)?, known, not_stored: not_stored.map(|error| error.0) })
                }
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::remove`].
    ///
    /// # Errors
    /// As for [`MediaCache::remove`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn remove(&self, url: &str) -> Result<bool, CacheError> {
        let own = |cache: MediaCache| async move { cache.remove(url).await.map(u64::from) };
        Ok(self.run(own, removed(&Call::Remove { url: url.into() })).await? > 0)
    }

    /// See [`MediaCache::remove_matching`].
    ///
    /// # Errors
    /// As for [`MediaCache::remove_matching`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn remove_matching(&self, filter: EntryFilter) -> Result<u64, CacheError> {
        let filter = &filter;
        let own = |cache: MediaCache| async move { cache.remove_matching(filter.clone()).await };
        self.run(own, removed(&Call::RemoveMatching { filter: filter.clone() })).await
    }

    /// See [`MediaCache::entries`].
    ///
    /// # Errors
    /// As for [`MediaCache::entries`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn entries(&self, after: Option<u64>, limit: u32) -> Result<Page, CacheError> {
        let own = |cache: MediaCache| async move { cache.entries(after, limit).await };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Entries { after, limit }, None).await? {
                (Answer::Entries { entries, next }, _) => {
                    Ok(Page { entries: entries.into_iter().map(|entry| entry.0).collect(), next })
                }
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::status`] and [`MediaCache::load_report`].
    ///
    /// # Errors
    /// As for [`MediaCache::status`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn status(&self) -> Result<(Status, Option<LoadReport>), CacheError> {
        let own = |cache: MediaCache| async move { Ok((cache.status().await?, cache.load_report())) };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Status, None).await? {
                (Answer::Status(status), _) => Ok((status.status, status.load.map(|report| report.0))),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::health`].
    ///
    /// # Errors
    /// As for [`MediaCache::health`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn health(&self) -> Result<Health, CacheError> {
        let own = |cache: MediaCache| async move { cache.health().await };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Health, None).await? {
                (Answer::Health(health), _) => Ok(health),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::checkpoint`].
    ///
    /// # Errors
    /// As for [`MediaCache::checkpoint`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn checkpoint(&self) -> Result<(), CacheError> {
        let own = |cache: MediaCache| async move { cache.checkpoint().await };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Checkpoint, None).await? {
                (Answer::Done, _) => Ok(()),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// The status of the policy: see [`MediaCache::policy`].
    ///
    /// # Errors
    /// [`CacheError::Closed`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn policy(&self) -> Result<PolicyStatus, CacheError> {
        let own = |cache: MediaCache| async move { Ok(cache.policy()) };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Policy, None).await? {
                (Answer::Policy(status), _) => Ok(*status),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// Compiles a policy and makes it the active one: see [`MediaCache::swap_policy`]. The owner of the directory compiles it. A new owner
    /// uses the policy with which it was configured.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn swap_policy(&self, spec: PolicySpec) -> Result<PolicyStatus, PolicyError> {
        let spec = &spec;
        let own = |cache: MediaCache| async move { Ok(swap_policy(&cache, spec.clone()).await) };
        let call = &Call::SwapPolicy { spec: spec.clone() };
        self.run(own, policy_change(call)).await?.map_err(PolicyError::Kept)
    }

    /// Restores the previous policy: see [`MediaCache::rollback_policy`].
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn rollback_policy(&self) -> Result<PolicyStatus, PolicyError> {
        let own = |cache: MediaCache| async move { Ok(cache.rollback_policy().await.map_err(|error| error.to_string())) };
        self.run(own, policy_change(&Call::RollbackPolicy)).await?.map_err(PolicyError::Kept)
    }

    /// Stops using the cache. If this process owns the directory, this finishes the work in progress, completes the index log, and releases
    /// the directory, so that an attached process can take over. This also closes all clones.
    ///
    /// # Errors
    /// As for [`MediaCache::close`].
    pub async fn close(&self) -> Result<(), CacheError> {
        let _changing = self.0.changing.lock().await;
        match self.0.set(State::Closed) {
            State::Owner(cache, listener) => {
                if let Some(listener) = listener.lock().await.take() {
                    listener.stop().await;
                }
                cache.close().await
            }
            State::Attached(_) => Ok(()),
            State::Closed => Err(CacheError::Closed),
        }
    }

    /// Makes a call, and repeats it whenever the directory gets another owner.
    async fn run<T, Own, Remote>(
        &self,
        own: impl Fn(MediaCache) -> Own,
        remote: impl Fn(Arc<Client>) -> Remote,
    ) -> Result<T, CacheError>
    where
        Own: Future<Output = Result<T, CacheError>>,
        Remote: Future<Output = Result<T, CallFailure>>,
    {
        loop {
            let client = match self.0.state() {
                State::Owner(cache, _) => return own(cache).await,
                State::Closed => return Err(CacheError::Closed),
                State::Attached(client) => client,
            };
            match remote(client.clone()).await {
                Ok(result) => return Ok(result),
                Err(CallFailure::Failed(error)) => return Err(error),
                Err(CallFailure::Lost) => {
                    let since = SystemTime::now();
                    let unavailable = |error: AttachError| CacheError::Unavailable(Outage { reason: error.to_string(), since });
                    self.0.replace(&client).await.map_err(unavailable)?;
                }
            }
        }
    }
}

/// Makes a call that removes entries. Returns their number.
fn removed<'a>(call: &'a Call) -> impl Fn(Arc<Client>) -> BoxFuture<'a, Result<u64, CallFailure>> {
    move |client| {
        async move {
            match client.call(call, None).await? {
                (Answer::Removed(count), _) => Ok(count),
                _ => Err(unexpected()),
            }
        }
        .boxed()
    }
}

/// Makes a call that replaces the policy. If it was kept, the result says why.
fn policy_change<'a>(call: &'a Call) -> impl Fn(Arc<Client>) -> BoxFuture<'a, Result<Result<PolicyStatus, String>, CallFailure>> {
    move |client| {
        async move {
            match client.call(call, None).await? {
                (Answer::Policy(status), _) => Ok(Ok(*status)),
                (Answer::PolicyKept(why), _) => Ok(Err(why)),
                _ => Err(unexpected()),
            }
        }
        .boxed()
    }
}

impl Shared {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn adopted(&self) -> DirectoryOptions {
        self.adopted.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the state and returns the previous one.
    fn set(&self, state: State) -> State {
        std::mem::replace(&mut *self.state.write().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// Takes over from the owner to which `client` was connected, or attaches to the one that does. Returns immediately if that has happened
    /// already.
    async fn replace(self: &Arc<Self>, client: &Arc<Client>) -> Result<(), AttachError> {
        let deadline = Instant::now() + MAX_WAIT;
        let _changing = self.changing.lock().await;
        match self.state() {
            State::Attached(current) if Arc::ptr_eq(&current, client) => self.enter(deadline).await,
            _ => Ok(()),
        }
    }

    /// Opens the directory or attaches to its owner. The caller is the only one that changes the state.
    async fn enter(self: &Arc<Self>, deadline: Instant) -> Result<(), AttachError> {
        loop {
            let error = match Client::connect(&self.directory).await {
                Ok(client) => return self.attach(client),
                Err(ConnectError::Final(error)) => return Err(error),
                Err(ConnectError::Absent(error)) => error,
            };
            match self.open().await {
                Err(AttachError::Open(OpenError::Lock(in_use @ LockError::InUse { .. }))) => {
                    if Instant::now() > deadline {
                        return Err(AttachError::NotShared { in_use, error });
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    fn attach(self: &Arc<Self>, client: Client) -> Result<(), AttachError> {
        self.options.check(client.options())?;
        *self.adopted.write().unwrap_or_else(PoisonError::into_inner) = client.options().clone();
        let (client, shared) = (Arc::new(client), Arc::downgrade(self));
        // Taking over should not have to wait for the compiler. If this fails, so does taking over, which reports the error.
        tokio::task::spawn_blocking(move || {
            let shared = shared.upgrade()?;
            let options = shared.adopted();
            let builder = (shared.configure)(&options).ok()?.compile().ok()?;
            shared.compiled.lock().unwrap_or_else(PoisonError::into_inner).replace((options, builder))
        });
        tokio::spawn(take_over(Arc::downgrade(self), Arc::downgrade(&client), client.closing()));
        self.set(State::Attached(client));
        Ok(())
    }

    /// Becomes the owner, unless another process uses the directory.
    async fn open(&self) -> Result<(), AttachError> {
        // Configuring a cache takes much longer than this check.
        drop(DirectoryLock::acquire(&self.directory).map_err(OpenError::Lock)?);
        let options = self.adopted();
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).take();
        let compiled = compiled.filter(|(of, _)| *of == options).map(|(_, builder)| builder);
        let builder = compiled.map_or_else(|| (self.configure)(&options), Ok).map_err(AttachError::Configure)?;
        let cache = builder.directory(&self.directory).open().await?;
        let listener = Listener::start(cache.clone(), options);
        let listener = listener.inspect_err(|error| {
            tracing::warn!("other processes cannot attach to {}: {error}", self.directory.display());
        });
        self.set(State::Owner(cache, Arc::new(tokio::sync::Mutex::new(listener.ok()))));
        Ok(())
    }
}

/// Takes over when the owner closes the cache or has ended, even if no call is made.
async fn take_over(shared: Weak<Shared>, client: Weak<Client>, closing: impl Future<Output = ()>) {
    closing.await;
    while let (Some(shared), Some(client)) = (shared.upgrade(), client.upgrade()) {
        match shared.replace(&client).await {
            Ok(()) => return,
            Err(error) => tracing::warn!("cannot take over {}: {error}", shared.directory.display()),
        }
        drop((shared, client));
        tokio::time::sleep(FAILURE_PAUSE).await;
    }
}
