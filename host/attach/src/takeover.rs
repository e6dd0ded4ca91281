//! Opens the directory or attaches to its owner, and takes over when the owner ends.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};

use media_cache::policy::RememberedPolicy;
use media_cache::{Builder, CacheError, DirectoryLock, LockError, MediaCache, OpenError, Outage, PreparedCache};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::claim::{self, Claim};
use crate::client::Client;
use crate::error::AttachError;
use crate::handshake::ConnectError;
use crate::interruptible::Interruptible;
use crate::listener::Listener;
use crate::options::DirectoryOptions;
use crate::owner::Management;
use crate::sharing::Sharing;

/// The pause between two attempts to open a directory or attach to it.
const PAUSE: Duration = Duration::from_millis(10);

/// How long to wait for an owner to whose socket this process cannot connect although it is running. The directory may have been replaced,
/// and the owner may not have noticed that yet.
const MAX_REPLACEMENT: Duration = Duration::from_secs(5);

/// How long a process that does not take over waits for the next owner, such as a service that is being restarted.
const MAX_WAIT_FOR_OWNER: Duration = Duration::from_secs(10);

/// The pause after taking over the directory or listening in it has failed.
pub(crate) const FAILURE_PAUSE: Duration = Duration::from_secs(1);

pub(crate) type Configure = dyn Fn(&DirectoryOptions) -> Result<Builder, Box<dyn std::error::Error + Send + Sync>> + Send + Sync;

/// A cache that several processes use.
pub(crate) struct Shared {
    pub directory: PathBuf,
    pub sharing: Sharing,
    /// The options of the directory, once they are known.
    pub adopted: RwLock<DirectoryOptions>,
    pub configure: Box<Configure>,
    /// A builder with compiled components and the options that it has, for when this attached process takes over.
    pub compiled: Mutex<Option<(DirectoryOptions, Builder)>>,
    pub state: RwLock<State>,
    /// Locked while the state changes.
    pub changing: tokio::sync::Mutex<()>,
    /// Changes when the owner's downloads in progress are abandoned, so that the next owner can repeat them.
    pub interruptions: watch::Sender<u64>,
    /// Whether the cache is being closed, which ends a takeover in progress.
    pub closing: watch::Sender<bool>,
}

/// How this process uses the directory.
#[derive(Clone)]
pub(crate) enum State {
    Owner(MediaCache, Arc<tokio::sync::Mutex<Option<Listener>>>),
    Attached(Arc<Client>),
    /// It owned the directory, and has handed it over.
    HandedOver,
    Closed,
}

impl Shared {
    pub fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn adopted(&self) -> DirectoryOptions {
        self.adopted.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The options of the directory if this process owns it: those of the previous owner, and those that only this process has.
    fn options_as_owner(&self) -> DirectoryOptions {
        self.adopted().or(&self.sharing.options)
    }

    /// Sets the state and returns the previous one.
    pub fn set(&self, state: State) -> State {
        std::mem::replace(&mut *self.state.write().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// Whether this process no longer owns the directory as it did with this listener, and the cache was not closed.
    pub fn has_changed_since(&self, owner: &Arc<tokio::sync::Mutex<Option<Listener>>>) -> bool {
        match self.state() {
            State::Owner(_, current) => !Arc::ptr_eq(&current, owner),
            State::Closed => false,
            State::Attached(_) | State::HandedOver => true,
        }
    }

    /// Takes over from the owner to which `client` was connected, or attaches to the one that does. Returns immediately if that has happened
    /// already.
    pub async fn replace(self: &Arc<Self>, client: &Arc<Client>) -> Result<(), CacheError> {
        let lost = (Instant::now(), SystemTime::now());
        let _changing = self.changing.lock().await;
        match self.state() {
            State::Attached(current) if Arc::ptr_eq(&current, client) => self.enter_unless_closed(lost, Some(client)).await,
            _ => Ok(()),
        }
    }

    /// Like [`enter`](Self::enter), until the cache is closed.
    pub async fn enter_unless_closed(
        self: &Arc<Self>,
        (since, time): (Instant, SystemTime),
        previous: Option<&Client>,
    ) -> Result<(), CacheError> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(CacheError::Closed),
            // Calls that waited while another call tried to take over do not try for the same time again.
            entered = self.enter(since, previous) => {
                entered.map_err(|error| CacheError::Unavailable(Outage { reason: error.to_string(), since: time }))
            }
        }
    }

    /// Opens the directory or attaches to its owner, after the connection to `previous` was lost. The caller is the only one that changes
    /// the state. If this is dropped, the state has not changed.
    pub async fn enter(self: &Arc<Self>, since: Instant, previous: Option<&Client>) -> Result<(), AttachError> {
        loop {
            let error = match Client::connect(&self.directory).await {
                Ok(client) => return self.attach(client),
                Err(ConnectError::Final(error)) => return Err(error),
                Err(error) => error.into(),
            };
            if previous.is_some_and(Client::is_owner_running) && since.elapsed() < MAX_REPLACEMENT {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // A process that uses the directory only for a moment does not take over.
            let max_wait = match Claim::is_made(&self.directory) {
                true => Some(claim::MAX_WAIT),
                false => previous.filter(|_| !self.sharing.is_shared).map(|_| MAX_WAIT_FOR_OWNER),
            };
            if let Some(max_wait) = max_wait {
                if since.elapsed() > max_wait {
                    return Err(AttachError::Ended { directory: self.directory.clone(), error });
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            match self.open().await {
                Err(AttachError::Open(OpenError::Lock(in_use @ LockError::InUse { .. }))) => {
                    if since.elapsed() > self.sharing.max_wait {
                        return Err(AttachError::NotShared { in_use, error });
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    fn attach(self: &Arc<Self>, client: Client) -> Result<(), AttachError> {
        self.sharing.options.check(client.options())?;
        *self.adopted.write().unwrap_or_else(PoisonError::into_inner) = client.options().clone();
        let (client, shared) = (Arc::new(client), Arc::downgrade(self));
        if !self.sharing.is_shared {
            // This process uses the directory only for a moment, and does not take over.
            self.set(State::Attached(client));
            return Ok(());
        }
        // Taking over should not have to wait for the compiler. If this fails, so does taking over, which reports the error.
        tokio::task::spawn_blocking(move || {
            let shared = shared.upgrade()?;
            let options = shared.with_selection(&shared.options_as_owner());
            let builder = (shared.configure)(&options).ok()?.compile().ok()?;
            shared.compiled.lock().unwrap_or_else(PoisonError::into_inner).replace((options, builder))
        });
        tokio::spawn(take_over(Arc::downgrade(self), Arc::downgrade(&client), client.closing()));
        self.set(State::Attached(client));
        Ok(())
    }

    /// Becomes the owner, unless another process uses the directory.
    async fn open(self: &Arc<Self>) -> Result<(), AttachError> {
        let this = self.clone();
        let prepared = tokio::task::spawn_blocking(move || this.prepare()).await;
        let (prepared, options) = prepared.unwrap_or_else(|error| Err(AttachError::Configure(error.into())))?;
        let cache = prepared.open().await?;
        *self.adopted.write().unwrap_or_else(PoisonError::into_inner) = options.clone();
        let listener = self.sharing.is_shared.then(|| self.listen(&cache, options)).transpose();
        if let Err(error) = &listener {
            tracing::warn!("other processes cannot attach to {}: {error}", self.directory.display());
            tokio::spawn(listen_later(Arc::downgrade(self)));
        }
        self.set(State::Owner(cache, Arc::new(tokio::sync::Mutex::new(listener.ok().flatten()))));
        Ok(())
    }

    /// Remembers the selected policy.
    pub fn remembered(&self) -> RememberedPolicy {
        let configured = self.options_as_owner().get("policy").and_then(|policy| policy.parse().ok());
        RememberedPolicy::new(&self.directory, configured.unwrap_or_default())
    }

    /// These options with the policy that was selected during a previous run, if there is one.
    fn with_selection(&self, options: &DirectoryOptions) -> DirectoryOptions {
        match self.remembered().recall() {
            Some(policy) if self.sharing.is_shared => options.clone().with("policy", policy),
            _ => options.clone(),
        }
    }

    /// Listens for other processes, and hands the directory over if one of them claims it.
    fn listen(self: &Arc<Self>, cache: &MediaCache, options: DirectoryOptions) -> io::Result<Listener> {
        let (requests, mut requested) = mpsc::channel(1);
        let (explicit, remembered) = (self.sharing.options.clone(), self.remembered());
        let management = Management::HandOver { requests, explicit, remembered };
        let listener = Listener::start_with(cache.clone(), options, management)?;
        let shared = Arc::downgrade(self);
        tokio::spawn(async move {
            // There is no request if the listener is dropped.
            let (Some(()), Some(shared)) = (requested.recv().await, shared.upgrade()) else { return };
            shared.hand_over().await;
        });
        Ok(listener)
    }

    /// Listens, which failed when this process became the owner. Returns whether there is nothing left to do.
    async fn listen_again(self: &Arc<Self>) -> bool {
        let State::Owner(cache, listener) = self.state() else { return true };
        let mut listener = listener.lock().await;
        // Closing sets the state before it takes the listener.
        if !matches!(self.state(), State::Owner(..)) {
            return true;
        }
        *listener = self.listen(&cache, self.adopted()).ok();
        listener.is_some()
    }

    /// Configures the cache and locks the directory. Returns the options of the directory as well. This blocks, for up to seconds if
    /// components are compiled.
    fn prepare(&self) -> Result<(PreparedCache, DirectoryOptions), AttachError> {
        // Configuring a cache takes much longer than this check.
        drop(DirectoryLock::acquire(&self.directory).map_err(OpenError::Lock)?);
        let options = self.options_as_owner();
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).take();
        let with_selection = self.with_selection(&options);
        let compiled = compiled.filter(|(of, _)| *of == with_selection).map(|(_, builder)| builder);
        let builder = match compiled.map_or_else(|| (self.configure)(&with_selection), Ok) {
            Err(error) if with_selection != options => {
                tracing::warn!("the policy that was selected during a previous run cannot be used: {error}");
                (self.configure)(&options)
            }
            builder => builder,
        };
        let builder = builder.map_err(AttachError::Configure)?;
        let interruptions = self.interruptions.clone();
        let builder = builder.downloader_layer(move |downloader| Arc::new(Interruptible::new(downloader, interruptions)));
        let prepared = builder.directory(&self.directory).prepare()?;
        // The claim may have been made after this was begun.
        if Claim::is_made(&self.directory) {
            return Err(OpenError::Lock(LockError::InUse { path: self.directory.clone(), holder: None }).into());
        }
        if self.sharing.is_shared
            && let Err(error) = self.remembered().forget_the_outdated()
        {
            tracing::warn!("cannot delete the outdated selection of the policy: {error}");
        }
        Ok((prepared, options))
    }
}

/// Tries to listen again, since the reason why that failed may be temporary.
async fn listen_later(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(FAILURE_PAUSE).await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.listen_again().await {
            return;
        }
    }
}

/// Takes over when the owner closes the cache or has ended, even if no call is made.
async fn take_over(shared: Weak<Shared>, client: Weak<Client>, closing: impl Future<Output = ()>) {
    closing.await;
    while let (Some(shared), Some(client)) = (shared.upgrade(), client.upgrade()) {
        match shared.replace(&client).await {
            Ok(()) | Err(CacheError::Closed) => return,
            Err(error) => tracing::warn!("cannot take over {}: {error}", shared.directory.display()),
        }
        drop((shared, client));
        tokio::time::sleep(FAILURE_PAUSE).await;
    }
}
