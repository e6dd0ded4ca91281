//! The owner's side: answers the calls of processes that are attached to its directory.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use media_cache::policy::RememberedPolicy;
use media_cache::{Blob, CacheError, FetchError, MediaCache};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::bodies::sendable;
use crate::caller_downloader::{CallerDownloader, FetchRequest, for_the_caller, is_lost};
use crate::connection::{Body, Connection};
use crate::idle_connections::{Idle, IdleConnections};
use crate::messages::{
    Admission, Answer, Call, Fetched, Hello, MediaHead, OwnerInfo, VERSION, Welcome, WireLoadReport, WireStatus, WireStoreError,
    WireValidators,
};
use crate::options::DirectoryOptions;
use crate::policy_calls::{policy_answer, rollback_policy, swap_policy};

/// How long a process that connects may take to introduce itself.
const MAX_HELLO: Duration = Duration::from_secs(5);

/// The maximum number of entries in a page, so that the page fits in a message, and other calls do not have to wait for long.
const MAX_PAGE: u32 = 1000;

/// How often a call tries again because the process that was downloading its media has ended.
const MAX_LOST: usize = 16;

/// What the process that owns the directory does apart from running the cache.
pub(crate) enum Management {
    /// It remembers the policies that attached processes select.
    Remember(RememberedPolicy),
    /// It hands the directory over on request, and attaches.
    HandOver {
        requests: mpsc::Sender<()>,
        /// The options that the user has set in this process.
        explicit: DirectoryOptions,
        remembered: RememberedPolicy,
    },
    Nothing,
}

/// What attached processes use.
pub(crate) struct Owner {
    pub cache: MediaCache,
    info: OwnerInfo,
    management: Management,
    pub idle: IdleConnections,
}

impl Owner {
    fn remembered(&self) -> Option<&RememberedPolicy> {
        match &self.management {
            Management::Remember(remembered) | Management::HandOver { remembered, .. } => Some(remembered),
            Management::Nothing => None,
        }
    }

    fn hand_over(&self, to: &DirectoryOptions) -> Answer {
        let Management::HandOver { requests, explicit, .. } = &self.management else { return Answer::NotHandedOver(None) };
        // This process will attach, which must not fail.
        if let Err(conflict) = explicit.check(to) {
            return Answer::NotHandedOver(Some(conflict.to_string()));
        }
        // If this fails, an earlier request is being carried out.
        let _ = requests.try_send(());
        Answer::Done
    }

    pub fn new(cache: MediaCache, options: DirectoryOptions, management: Management) -> Self {
        let id = RandomState::new().build_hasher().finish();
        let info = OwnerInfo { id, options, has_copies: cache.has_copies() };
        Self { cache, info, management, idle: IdleConnections::default() }
    }
}

/// Receives the first message of an attached process and replies. Returns whether the process can make calls.
pub(crate) async fn welcome(connection: &mut Connection, admission: Admission) -> io::Result<bool> {
    let Some((hello, _)) = timeout(MAX_HELLO, connection.receive::<Hello>()).await?? else { return Ok(false) };
    let is_accepted = hello.version == VERSION && matches!(admission, Admission::Accepted(_));
    let admission = (hello.version == VERSION).then_some(admission);
    connection.send(&Welcome { program: env!("CARGO_PKG_VERSION").to_owned(), admission }, None).await?;
    Ok(is_accepted)
}

/// Serves one connection until the other process closes it, or until this listener is stopped and no call is in progress. Without calls, it
/// may also be closed to make room for other connections.
pub(crate) async fn serve(mut connection: Connection, owner: &Owner, mut stopped: watch::Receiver<bool>) -> io::Result<()> {
    let is_accepted = tokio::select! {
        is_accepted = welcome(&mut connection, Admission::Accepted(owner.info.clone())) => is_accepted?,
        _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
    };
    if !is_accepted {
        return Ok(());
    }
    // Before the first call, this may be the connection through which the other process observes this one.
    let mut idle = None;
    loop {
        let must_close = async {
            match &mut idle {
                Some(idle) => Idle::closed(idle).await,
                None => std::future::pending().await,
            }
        };
        let received = tokio::select! {
            biased;
            received = connection.receive() => received?,
            () = must_close => return Ok(()),
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        };
        drop(idle.take());
        let Some((call, body)) = received else { return Ok(()) };
        let (answer, body) = match owner.answer(&mut connection, call, body).await? {
            Ok(answer) => answer,
            // The directory gets another owner, which will answer this call.
            Err(CallError { error: CacheError::Closed, .. }) => return Ok(()),
            Err(CallError { error, is_own }) => (Answer::Failed { error, is_own }, None),
        };
        match connection.send(&answer, body.as_ref()).await {
            // Nothing has been sent: the answer is too long.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let error = FetchError::Other(format!("the answer cannot be sent: {error}")).into();
                connection.send(&Answer::Failed { error, is_own: false }, None).await?;
            }
            sent => sent?,
        }
        idle = Some(owner.idle.list());
    }
}

/// Why a call failed.
struct CallError {
    error: CacheError,
    /// Whether this is the failure with which the caller's downloader failed.
    is_own: bool,
}

impl<E: Into<CacheError>> From<E> for CallError {
    fn from(error: E) -> Self {
        Self { error: error.into(), is_own: false }
    }
}

type Answered = Result<(Answer, Option<Body>), CallError>;

impl Owner {
    /// Answers a call. Fails if the connection fails, or if the other process cancels the call.
    async fn answer(&self, connection: &mut Connection, call: Call, body: Option<Body>) -> io::Result<Answered> {
        if let Call::GetOrDownload { url, has_downloader: true } = &call {
            return self.get_or_download(connection, url).await;
        }
        tokio::select! {
            answer = self.call(call, body) => Ok(answer),
            received = connection.receive::<Call>() => Err(cancelled(received)),
        }
    }

    async fn call(&self, call: Call, body: Option<Body>) -> Answered {
        let cache = &self.cache;
        match call {
            Call::Get { url } => match cache.get(&url).await? {
                Some(media) => media_answer(media).await,
                None => Ok((Answer::Media(None), None)),
            },
            Call::GetOrDownload { url, .. } => media_answer(get_or_download(cache, &url, None::<&CallerDownloader>).await?).await,
            Call::Refresh { url } => {
                let outcome = cache.refresh(&url).await?;
                let (head, body) = complete(outcome.media).await?;
                let not_stored = outcome.not_stored.map(WireStoreError);
                Ok((Answer::Refreshed { media: head, modified: outcome.modified, not_stored }, Some(body)))
            }
            Call::Put { url, media } => {
                let media = media.with_fetched(body).map_err(|error| FetchError::Other(error.to_string()))?;
                let outcome = cache.put_media(&url, media).await?;
                let (head, body) = complete(outcome.media).await?;
                let not_stored = outcome.not_stored.map(WireStoreError);
                Ok((Answer::Put { media: head, known: outcome.known, not_stored }, Some(body)))
            }
            Call::Remove { url } => Ok((Answer::Removed(cache.remove(&url).await?.into()), None)),
            Call::RemoveMatching { filter } => Ok((Answer::Removed(cache.remove_matching(filter).await?), None)),
            Call::Entries { after, limit } => Ok((cache.entries(after, limit.min(MAX_PAGE)).await?.into(), None)),
            Call::Status => {
                let status = WireStatus { status: cache.status().await?, load: cache.load_report().map(WireLoadReport) };
                Ok((Answer::Status(status.into()), None))
            }
            Call::Health => Ok((Answer::Health(cache.health().await?), None)),
            Call::Checkpoint => {
                cache.checkpoint().await?;
                Ok((Answer::Done, None))
            }
            Call::Policy => Ok((Answer::Policy(cache.policy().into()), None)),
            Call::SwapPolicy { spec } => {
                let component = match body {
                    Some(body) => Some(component_in(body).await?),
                    None => None,
                };
                Ok((policy_answer(swap_policy(cache, spec, component, self.remembered()).await), None))
            }
            Call::HandOver { options } => Ok((self.hand_over(&options), None)),
            Call::RollbackPolicy => Ok((policy_answer(rollback_policy(cache, self.remembered()).await), None)),
        }
    }

    /// Answers a call with a downloader, which the other process runs.
    async fn get_or_download(&self, connection: &mut Connection, url: &str) -> io::Result<Answered> {
        let (requests, mut received) = mpsc::channel(1);
        let downloader = CallerDownloader { requests, failure: Arc::new(Mutex::new(None)) };
        let fetch = async {
            match get_or_download(&self.cache, url, Some(&downloader)).await {
                Ok(media) => media_answer(media).await,
                Err(error) => Err(error.into()),
            }
        };
        let mut fetch = std::pin::pin!(fetch);
        loop {
            let request = tokio::select! {
                answer = &mut fetch => {
                    return Ok(answer.map_err(|CallError { error, .. }| {
                        let is_own = matches!(&error, CacheError::Fetch(error) if downloader.failed_with(error));
                        CallError { error, is_own }
                    }));
                }
                Some(request) = received.recv() => request,
                received = connection.receive::<Fetched>() => return Err(cancelled(received)),
            };
            let FetchRequest { url, validators, reply } = request;
            connection.send(&Answer::Fetch { url, validators: WireValidators(validators) }, None).await?;
            let Some((fetched, body)) = connection.receive().await? else { return Err(io::ErrorKind::ConnectionAborted.into()) };
            let fetched = match fetched {
                Fetched::Media(head) => {
                    let media = head.with_fetched(body).map(media_cache::Fetched::Media);
                    media.map_err(|error| FetchError::Other(error.to_string()))
                }
                Fetched::NotModified(cache_control) => Ok(media_cache::Fetched::NotModified(cache_control.0)),
                Fetched::Failed(error) => Err(error),
            };
            // The cache may no longer need the media.
            let _ = reply.send(fetched);
        }
    }
}

/// A component that an attached process sent.
async fn component_in(body: Body) -> Result<Bytes, CacheError> {
    let blob = match body {
        Body::Inline(bytes) => return Ok(bytes),
        Body::File(file) => Blob::from_file(file),
    };
    let read = async { blob?.bytes().await };
    read.await.map_err(|error| FetchError::Other(format!("the component cannot be read: {error}")).into())
}

async fn media_answer(media: media_cache::Media) -> Answered {
    let (head, body) = complete(media).await?;
    Ok((Answer::Media(Some(head)), Some(body)))
}

/// The error for the end of a connection during a call, when nothing but that can be received.
fn cancelled<M>(received: io::Result<M>) -> io::Error {
    received.err().unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into())
}

/// Media with its complete body, in the form in which it is sent.
async fn complete(media: media_cache::Media) -> Result<(MediaHead, Body), CacheError> {
    media.finished().await?;
    let body = sendable(&media.body).await.map_err(|error| FetchError::Other(format!("the body cannot be read: {error}")))?;
    Ok((MediaHead::of(&media), body))
}

/// Gets media whose body is complete. If the process that was downloading the media has ended, this downloads it instead.
pub(crate) async fn get_or_download(
    cache: &MediaCache,
    url: &str,
    downloader: Option<&(impl media_cache::Downloader + Clone)>,
) -> Result<media_cache::Media, CacheError> {
    let mut lost = 0;
    loop {
        let media = match downloader {
            Some(downloader) => cache.get_or_download_with(url, downloader.clone()).await,
            None => cache.get_or_download(url).await,
        };
        match media {
            Err(CacheError::Fetch(error)) if is_lost(&error) && lost < MAX_LOST => lost += 1,
            Err(CacheError::Fetch(error)) => return Err(for_the_caller(error).into()),
            media => return media,
        }
    }
}
