//! The side of an attached process: sends calls to the owner of the directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use media_cache::{CacheError, Downloader, FetchError, Fetched as FetchedByDownloader, Media, Outage};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bodies::sendable;
use crate::call_limiter::CallLimiter;
use crate::connection::{Body, Connection};
use crate::handshake::{ConnectError, connect};
use crate::messages::{Answer, Call, Fetched, MediaHead, OwnerInfo, WireCacheControl};
use crate::options::DirectoryOptions;
use crate::owner_monitor::{OwnerState, observe_owner};

/// The maximum number of calls in progress, each of which has its own connection. Further calls wait.
const MAX_CALLS: usize = 64;

/// The same for calls that may wait for a download. Other calls do not wait for these, since a downloader may make calls too.
const MAX_DOWNLOADS: usize = 192;

/// The maximum number of connections that are kept for further calls.
const MAX_IDLE: usize = 8;

/// How long to wait for a connection while all those that the owner accepts are in use.
const MAX_FULL: Duration = Duration::from_secs(30);

/// The pause before trying to connect again, which doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum CallFailure {
    /// The owner has ended or closed the cache. The call can be repeated with the next owner.
    Lost(io::Error),
    Failed(CacheError),
}

impl From<CacheError> for CallFailure {
    fn from(error: CacheError) -> Self {
        Self::Failed(error)
    }
}

/// Anything but a message that cannot be understood means that the owner has ended.
impl From<io::Error> for CallFailure {
    fn from(error: io::Error) -> Self {
        if error.kind() != io::ErrorKind::InvalidData {
            return Self::Lost(error);
        }
        Self::Failed(FetchError::Other(format!("the process that owns the directory sent an invalid message: {error}")).into())
    }
}

/// Connections to the owner of a directory.
#[derive(Debug)]
pub(crate) struct Client {
    directory: PathBuf,
    owner: OwnerInfo,
    idle: Mutex<Vec<Connection>>,
    calls: CallLimiter,
    downloads: CallLimiter,
    state: watch::Receiver<OwnerState>,
    monitor: JoinHandle<()>,
}

impl Client {
    /// Connects to the owner of a directory.
    pub async fn connect(directory: &Path) -> Result<Self, ConnectError> {
        let (connection, owner) = connect(directory).await?;
        let (sender, state) = watch::channel(OwnerState::Running);
        let monitor = tokio::spawn(observe_owner(connection, sender));
        let (calls, downloads) = (CallLimiter::new(MAX_CALLS), CallLimiter::new(MAX_DOWNLOADS));
        Ok(Self { directory: directory.to_owned(), owner, idle: Mutex::default(), calls, downloads, state, monitor })
    }

    /// The options of the directory.
    pub fn options(&self) -> &DirectoryOptions {
        &self.owner.options
    }

    /// Whether the owner removes the copy of an entry together with the entry.
    pub fn has_copies(&self) -> bool {
        self.owner.has_copies
    }

    /// Waits until the owner closes the cache, or has ended.
    pub fn closing(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.state.clone();
        async move {
            // An error means that the monitor was aborted, since the client was dropped.
            let _ = state.wait_for(|state| *state != OwnerState::Running).await;
        }
    }

    /// Whether the owner neither closes the cache nor has ended.
    pub fn is_owner_running(&self) -> bool {
        *self.state.borrow() == OwnerState::Running
    }

    /// Waits until the process of the owner has ended.
    async fn ended(&self) {
        let _ = self.state.clone().wait_for(|state| *state == OwnerState::Ended).await;
    }

    /// Sends a call and returns the answer.
    pub async fn call(&self, call: &Call, body: Option<&Body>) -> Result<(Answer, Option<Body>), CallFailure> {
        let exchange = |mut connection: Connection| async move {
            connection.send(call, body).await?;
            let answer = answer(&mut connection).await?;
            Ok((connection, answer))
        };
        let limiter = if call.may_download() { &self.downloads } else { &self.calls };
        let (answer, body) = self.with_connection(limiter, exchange).await?;
        match answer {
            Answer::Failed { error, .. } => Err(error.into()),
            answer => Ok((answer, body)),
        }
    }

    /// Sends a call for media, for which the owner may ask this process to run its downloader.
    pub async fn get_or_download(&self, url: &str, downloader: &dyn Downloader) -> Result<Media, CallFailure> {
        let call = &Call::GetOrDownload { url: url.into(), has_downloader: true };
        let exchange = |mut connection: Connection| async move {
            let mut own_failure = None;
            connection.send(call, None).await?;
            loop {
                let (url, validators) = match answer(&mut connection).await? {
                    (Answer::Fetch { url, validators }, _) => (url, validators.0),
                    answer => return Ok((connection, (answer, own_failure))),
                };
                let (fetched, body) = match fetch(downloader, &url, &validators).await {
                    Ok(fetched) => fetched,
                    Err(failure) => {
                        own_failure = Some(failure.clone());
                        (Fetched::Failed(failure), None)
                    }
                };
                connection.send(&fetched, body.as_ref()).await?;
            }
        };
        match self.with_connection(&self.downloads, exchange).await? {
            ((Answer::Media(Some(head)), body), _) => Ok(head.with(body)?),
            ((Answer::Failed { error, is_own }, _), own_failure) => {
                Err(own_failure.filter(|_| is_own).map_or(error, CacheError::Fetch).into())
            }
            _ => Err(unexpected()),
        }
    }

    /// Uses a connection for one call. `exchange` returns it with the result.
    async fn with_connection<T, Exchange>(
        &self,
        limiter: &CallLimiter,
        exchange: impl Fn(Connection) -> Exchange,
    ) -> Result<T, CallFailure>
    where
        Exchange: Future<Output = io::Result<(Connection, T)>>,
    {
        let exchange = async {
            let _permit = limiter.acquire().await;
            loop {
                let (connection, is_reused) = match self.take_idle() {
                    Some(connection) => (connection, true),
                    None => (self.open_connection().await?, false),
                };
                match exchange(connection).await {
                    Ok((connection, result)) => {
                        self.keep(connection);
                        return Ok(result);
                    }
                    // The owner closes idle connections if it needs them for other processes.
                    Err(error) if is_reused && error.kind() != io::ErrorKind::InvalidData && self.is_owner_running() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        };
        tokio::select! {
            biased;
            result = exchange => result,
            () = self.ended() => Err(CallFailure::Lost(io::Error::other("it has ended"))),
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    /// Connects to the same owner. While all connections that it accepts are in use, this waits for one.
    async fn open_connection(&self) -> Result<Connection, CallFailure> {
        let (begun, since) = (Instant::now(), SystemTime::now());
        let mut pause = FIRST_PAUSE;
        loop {
            match connect(&self.directory).await {
                Ok((connection, owner)) if owner.id == self.owner.id => return Ok(connection),
                // Its options may differ.
                Ok(_) => return Err(CallFailure::Lost(io::Error::other("another process owns the directory now"))),
                Err(full @ ConnectError::Full(_)) if begun.elapsed() > MAX_FULL => {
                    let reason = io::Error::from(full).to_string();
                    return Err(CacheError::Unavailable(Outage { reason, since }).into());
                }
                Err(ConnectError::Full(_)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                    if let Some(connection) = self.take_idle() {
                        return Ok(connection);
                    }
                }
                Err(error) => return Err(CallFailure::Lost(error.into())),
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.monitor.abort();
    }
}

/// The failure of a call whose answer is not one that the call has.
pub(crate) fn unexpected() -> CallFailure {
    io::Error::new(io::ErrorKind::InvalidData, "it is an answer to another call").into()
}

async fn answer(connection: &mut Connection) -> io::Result<(Answer, Option<Body>)> {
    connection.receive().await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Runs the downloader of this process.
async fn fetch(
    downloader: &dyn Downloader,
    url: &str,
    validators: &media_cache::Validators,
) -> Result<(Fetched, Option<Body>), FetchError> {
    match downloader.fetch_if_changed(url, validators).await? {
        FetchedByDownloader::Media(media) => {
            media.body.finished().await?;
            let body = sendable(&media.body).await;
            let body = body.map_err(|error| FetchError::Other(format!("the downloaded body cannot be read: {error}")))?;
            Ok((Fetched::Media(MediaHead::of_fetched(&media)), Some(body)))
        }
        FetchedByDownloader::NotModified(cache_control) => Ok((Fetched::NotModified(WireCacheControl(cache_control)), None)),
    }
}
