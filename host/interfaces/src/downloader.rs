//! The interface for downloads.
//!
//! A [`Downloader`] takes a URL and returns [`FetchedMedia`]: the bytes, their media type and a file name. It may fetch over HTTP or from
//! anywhere else. An async closure is a downloader, too.
//!
//! A downloader returns either the whole body, as the origin intended it, or an error. A body that is cut short, longer than declared, too
//! large, or encoded although no encoding was requested results in a [`FetchError`], never in [`FetchedMedia`]. A downloader may return a
//! body that is still [arriving](crate::ArrivingBody) once everything else about the media is final; such an error then ends the body
//! early.

use futures::future::BoxFuture;

use crate::failure::FetchError;
use crate::fetched_media::{Fetched, FetchedMedia, Validators};

/// Fetches the media at a URL.
///
/// An async closure that takes a `String` is a downloader:
///
/// ```
/// use media_cache_interfaces::{Blob, Downloader, FetchError, FetchedMedia};
///
/// fn downloader() -> impl Downloader {
///     |url: String| async move {
///         let name = url.strip_prefix("example:").ok_or(FetchError::NotFound)?;
///         Ok(FetchedMedia::new(Blob::from(name.to_owned()), "text/plain", "name.txt"))
///     }
/// }
/// ```
pub trait Downloader: Send + Sync + 'static {
    /// Fetches the media at `url`. The cache sets no time limit, so the downloader must set one. Dropping the future, or the last handle to
    /// a body that is still arriving, must cancel the download and leave nothing behind.
    ///
    /// # Errors
    /// The reason why the download failed. The variant determines the HTTP status of a response and how long the failure is remembered.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>>;

    /// Fetches the media at `url`, unless its current version is still the one with these validators. The default implementation always
    /// fetches the media.
    ///
    /// # Errors
    /// As for [`fetch`](Self::fetch).
    fn fetch_if_changed<'a>(&'a self, url: &'a str, _validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move { self.fetch(url).await.map(Fetched::Media) })
    }

    /// Checks whether this downloader may fetch `url` and return media of a type and a length in bytes, if these are known, as far as that
    /// can be decided without a request. A downloader that gets media from another source first, such as a shared store, checks it like
    /// this, since it may have been fetched with other options. The default implementation accepts everything.
    ///
    /// # Errors
    /// The error with which a download would fail.
    fn check(&self, _url: &str, _media: Option<(&str, u64)>) -> Result<(), FetchError> {
        Ok(())
    }
}

impl<F, Fut> Downloader for F
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<FetchedMedia, FetchError>> + Send + 'static,
{
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(self(url.to_owned()))
    }
}

/// A downloader that refuses every URL, for a cache that downloads nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDownloader;

impl Downloader for NoDownloader {
    fn fetch<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(async { Err(FetchError::Refused("this cache has no downloader".into())) })
    }
}
