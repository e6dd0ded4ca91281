//! The downloader of an attached process, as the owner sees it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use media_cache::{Downloader, FetchError, Fetched, FetchedMedia, Validators};
use tokio::sync::{mpsc, oneshot};

/// What the attached process is to fetch.
pub(crate) struct FetchRequest {
    pub url: String,
    pub validators: Validators,
    /// Dropped if the process ends first.
    pub reply: oneshot::Sender<Result<Fetched, FetchError>>,
}

/// The cause of a failure: the process that was downloading the media has ended. Another process can download it instead.
#[derive(Debug)]
struct DownloaderLost;

impl fmt::Display for DownloaderLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process that was downloading this media has ended")
    }
}

impl std::error::Error for DownloaderLost {}

/// The failure of a download that another process can repeat.
pub(crate) fn lost() -> FetchError {
    FetchError::custom(DownloaderLost)
}

/// Whether a download failed because the process that ran it has ended.
pub(crate) fn is_lost(error: &FetchError) -> bool {
    let FetchError::Custom(failure) = error else { return false };
    failure.cause().is_some_and(|cause| cause.is::<DownloaderLost>())
}

/// The cause of a failure that depends on the process whose downloader failed: with the options of another process, the download may
/// succeed. Unlike the failure itself, the cache does not remember one with such a cause.
#[derive(Debug)]
struct FailureOfCaller(FetchError);

impl fmt::Display for FailureOfCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for FailureOfCaller {}

/// A failure of a caller's downloader, for the cache.
fn for_the_cache(error: FetchError) -> FetchError {
    match error {
        FetchError::InvalidUrl(_)
        | FetchError::Refused(_)
        | FetchError::Denied(_)
        | FetchError::TooLarge(_)
        | FetchError::TimedOut(_)
        | FetchError::EmptyBody
        | FetchError::EncodedBody(_)
        | FetchError::UnacceptableType(_)
        | FetchError::TooManyRedirects(_)
        | FetchError::Overloaded(_)
        | FetchError::Other(_) => FetchError::custom(FailureOfCaller(error)),
        error => error,
    }
}

/// The failure of the downloader that is behind a failure of the cache.
pub(crate) fn for_the_caller(error: FetchError) -> FetchError {
    match &error {
        FetchError::Custom(failure) => match failure.cause().and_then(|cause| cause.downcast_ref()) {
            Some(FailureOfCaller(error)) => error.clone(),
            None => error,
        },
        _ => error,
    }
}

/// Asks an attached process to download.
#[derive(Clone)]
pub(crate) struct CallerDownloader {
    pub requests: mpsc::Sender<FetchRequest>,
    /// The failure of the attached process's downloader.
    pub failure: Arc<Mutex<Option<FetchError>>>,
}

impl CallerDownloader {
    /// Whether a failure is that of the attached process's downloader.
    pub fn failed_with(&self, error: &FetchError) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(error)
    }

    async fn ask(&self, url: &str, validators: Validators) -> Result<Fetched, FetchError> {
        let (reply, answer) = oneshot::channel();
        let request = FetchRequest { url: url.into(), validators, reply };
        self.requests.send(request).await.map_err(|_| lost())?;
        let answer = answer.await.map_err(|_| lost())?;
        let answer = match answer {
            Ok(Fetched::Media(media)) if media.body.is_empty() => Err(FetchError::EmptyBody),
            answer => answer,
        };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = answer.as_ref().err().cloned();
        answer.map_err(for_the_cache)
    }
}

impl Downloader for CallerDownloader {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(async move {
            match self.ask(url, Validators::default()).await? {
                Fetched::Media(media) => Ok(media),
                Fetched::NotModified(_) => {
                    Err(FetchError::BrokenAnswer("not modified, although the request was unconditional".into()))
                }
            }
        })
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(self.ask(url, validators.clone()))
    }
}
