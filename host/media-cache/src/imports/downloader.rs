//! The interface `downloader`: whatever [`Downloader`](media_cache_interfaces::Downloader) the host was given, run off the store's thread.

use std::sync::Arc;

use wasmtime::component::{Accessor, HasSelf};

use crate::bindings::cache::media_cache::cache::downloader::{Download, FailureKind, FetchError, Host, HostWithStore};
use crate::host_state::HostState;
use media_cache_interfaces as download;

impl Host for HostState {}

impl<T: Send + 'static> HostWithStore<T> for HasSelf<HostState> {
    async fn fetch(store: &Accessor<T, Self>, url: String) -> wasmtime::Result<Result<Download, FetchError>> {
        let (downloader, runtime, hits) = store.with(|mut state| {
            let state = state.get();
            (state.downloader.clone(), state.runtime.clone(), state.hits.clone())
        });
        let fetched = runtime.spawn(async move { downloader.fetch(&url).await }).await;
        // What follows is a decision of the policy: it is to know of every hit before it.
        hits.flush().await;
        match fetched {
            Ok(Ok(download::FetchedMedia { body, mimetype, filename })) => {
                let body = store.with(|mut state| state.get().push_blob(Arc::new(body)))?;
                Ok(Ok(Download { body, mimetype, filename }))
            }
            Ok(Err(error)) => Ok(Err(error.into())),
            Err(panic) => Ok(Err(FetchError::Other(format!("the downloader broke off: {panic}")))),
        }
    }
}

impl From<download::FetchError> for FetchError {
    fn from(error: download::FetchError) -> Self {
        use download::FetchError as E;
        match error {
            E::InvalidUrl(why) => Self::InvalidUrl(why),
            E::Refused(why) => Self::Refused(why),
            E::NotFound => Self::NotFound,
            E::Gone => Self::Gone,
            E::OriginStatus(status) => Self::OriginStatus(status),
            E::TooLarge { limit } => Self::TooLarge(limit),
            E::TimedOut(what) => Self::TimedOut(what),
            E::Unreachable(why) => Self::Unreachable(why),
            E::BrokenAnswer(why) => Self::BrokenAnswer(why),
            E::ShortBody(why) => Self::ShortBody(why),
            E::OverlongBody(why) => Self::OverlongBody(why),
            E::EmptyBody => Self::EmptyBody,
            E::PartialBody => Self::PartialBody,
            E::EncodedBody(coding) => Self::EncodedBody(coding),
            E::UnacceptableType(which) => Self::UnacceptableType(which),
            E::Overloaded { retry_after_seconds } => Self::Overloaded(retry_after_seconds),
            E::TooManyRedirects(limit) => Self::TooManyRedirects(limit),
            E::Unavailable { retry_after_seconds } => Self::Unavailable(retry_after_seconds),
            E::Other(why) => Self::Other(why),
        }
    }
}

impl From<FetchError> for download::FetchError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::InvalidUrl(why) => Self::InvalidUrl(why),
            FetchError::Refused(why) => Self::Refused(why),
            FetchError::NotFound => Self::NotFound,
            FetchError::Gone => Self::Gone,
            FetchError::OriginStatus(status) => Self::OriginStatus(status),
            FetchError::TooLarge(limit) => Self::TooLarge { limit },
            FetchError::TimedOut(what) => Self::TimedOut(what),
            FetchError::Unreachable(why) => Self::Unreachable(why),
            FetchError::BrokenAnswer(why) => Self::BrokenAnswer(why),
            FetchError::ShortBody(why) => Self::ShortBody(why),
            FetchError::OverlongBody(why) => Self::OverlongBody(why),
            FetchError::EmptyBody => Self::EmptyBody,
            FetchError::PartialBody => Self::PartialBody,
            FetchError::EncodedBody(coding) => Self::EncodedBody(coding),
            FetchError::UnacceptableType(which) => Self::UnacceptableType(which),
            FetchError::Overloaded(retry_after_seconds) => Self::Overloaded { retry_after_seconds },
            FetchError::TooManyRedirects(limit) => Self::TooManyRedirects(limit),
            FetchError::Unavailable(retry_after_seconds) => Self::Unavailable { retry_after_seconds },
            FetchError::Other(why) => Self::Other(why),
        }
    }
}

impl From<download::FailureKind> for FailureKind {
    fn from(kind: download::FailureKind) -> Self {
        use download::FailureKind as K;
        match kind {
            K::InvalidUrl => Self::InvalidUrl,
            K::Refused => Self::Refused,
            K::NotFound => Self::NotFound,
            K::Gone => Self::Gone,
            K::OriginStatus => Self::OriginStatus,
            K::TooLarge => Self::TooLarge,
            K::TimedOut => Self::TimedOut,
            K::Unreachable => Self::Unreachable,
            K::BrokenAnswer => Self::BrokenAnswer,
            K::ShortBody => Self::ShortBody,
            K::OverlongBody => Self::OverlongBody,
            K::EmptyBody => Self::EmptyBody,
            K::PartialBody => Self::PartialBody,
            K::EncodedBody => Self::EncodedBody,
            K::UnacceptableType => Self::UnacceptableType,
            K::TooManyRedirects => Self::TooManyRedirects,
            K::Unavailable => Self::Unavailable,
            K::Overloaded => Self::Overloaded,
            K::Other => Self::Other,
        }
    }
}
