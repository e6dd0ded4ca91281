//! The side of an attached process: sends calls to the owner of the directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use media_cache::{CacheError, Downloader, FetchError, Fetched as FetchedByDownloader, Media};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::bodies::sendable;
use crate::connection::{Body, Connection};
use crate::handshake::{ConnectError, connect};
use crate::messages::{Answer, Call, Fetched, MediaHead, WireCacheControl};
use crate::options::DirectoryOptions;
use crate::owner_monitor::{OwnerState, observe_owner};

/// The maximum number of calls in progress, each of which has its own connection. Further calls wait.
const MAX_CALLS: usize = 64;

/// The same for calls for which this process may run a downloader.
const MAX_DOWNLOADS: usize = 192;

/// The maximum number of connections that are kept for further calls.
const MAX_IDLE: usize = 8;

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
    options: DirectoryOptions,
    idle: Mutex<Vec<Connection>>,
    calls: Semaphore,
    downloads: Semaphore,
    owner: watch::Receiver<OwnerState>,
    monitor: JoinHandle<()>,
}

impl Client {
    /// Connects to the owner of a directory.
    pub async fn connect(directory: &Path) -> Result<Self, ConnectError> {
        let (connection, options) = connect(directory).await?;
        let (state, owner) = watch::channel(OwnerState::Running);
        let monitor = tokio::spawn(observe_owner(connection, state));
        let (calls, downloads) = (Semaphore::new(MAX_CALLS), Semaphore::new(MAX_DOWNLOADS));
        Ok(Self { directory: directory.to_owned(), options, idle: Mutex::default(), calls, downloads, owner, monitor })
    }

    /// The options of the directory.
    pub fn options(&self) -> &DirectoryOptions {
        &self.options
    }

    /// Waits until the owner closes the cache, or has ended.
    pub fn closing(&self) -> impl Future<Output = ()> + use<> {
        let mut owner = self.owner.clone();
        async move {
            // An error means that the monitor was aborted, since the client was dropped.
            let _ = owner.wait_for(|owner| *owner != OwnerState::Running).await;
        }
    }

    /// Whether the owner neither closes the cache nor has ended.
    pub fn is_owner_running(&self) -> bool {
        *self.owner.borrow() == OwnerState::Running
    }

    /// Waits until the process of the owner has ended.
    async fn ended(&self) {
        let _ = self.owner.clone().wait_for(|owner| *owner == OwnerState::Ended).await;
    }

    /// Sends a call and returns the answer.
    pub async fn call(&self, call: &Call, body: Option<&Body>) -> Result<(Answer, Option<Body>), CallFailure> {
        let exchange = async |connection: &mut Connection| {
            connection.send(call, body).await?;
            answer(connection).await
        };
        let (answer, body) = self.with_connection(&self.calls, exchange).await?;
        match answer {
            Answer::Failed { error, .. } => Err(error.into()),
            answer => Ok((answer, body)),
        }
    }

    /// Sends a call for media, for which the owner may ask this process to run its downloader.
    pub async fn get_or_download(&self, url: &str, downloader: &dyn Downloader) -> Result<Media, CallFailure> {
        let call = Call::GetOrDownload { url: url.into(), has_downloader: true };
        let mut own_failure = None;
        let exchange = async |connection: &mut Connection| {
            connection.send(&call, None).await?;
            loop {
                let (url, validators) = match answer(connection).await? {
                    (Answer::Fetch { url, validators }, _) => (url, validators.0),
                    answer => return Ok(answer),
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
            (Answer::Media(Some(head)), body) => Ok(head.with(body)?),
            (Answer::Failed { error, is_own }, _) => Err(own_failure.filter(|_| is_own).map_or(error, CacheError::Fetch).into()),
            _ => Err(unexpected()),
        }
    }

    /// Uses a connection for one call.
    async fn with_connection<T>(
        &self,
        permits: &Semaphore,
        exchange: impl AsyncFnOnce(&mut Connection) -> io::Result<T>,
    ) -> Result<T, CallFailure> {
        let exchange = async {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => match connect(&self.directory).await {
                    Ok((connection, _)) => connection,
                    Err(error) => return Err(CallFailure::Lost(error.into())),
                },
            };
            let result = exchange(&mut connection).await?;
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
            Ok(result)
        };
        tokio::select! {
            biased;
            result = exchange => result,
            () = self.ended() => Err(CallFailure::Lost(io::Error::other("it has ended"))),
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
