//! Getting media from where it came from.
//!
//! The cache's logic asks its host for a URL and gets a [`Download`]: the bytes, what they are, and what to call them. Who answers
//! is a [`Downloader`]: the [`HttpDownloader`], or whatever an embedder puts there, down to a single async closure.
//!
//! A downloader promises all or nothing. What it hands over is the whole body as its origin meant it; a body that was cut short, goes on
//! beyond what was announced, was encoded unasked, or is too large is a [`FetchError`], never a `Download`.

mod accept;
mod access;
mod address;
mod answer;
mod body;
mod cause;
mod connect;
mod error;
mod framing;
mod gate;
mod hosts;
mod http;
mod kind;
mod line;
mod matrix;
mod meter;
mod naming;
mod options;
mod pace;
mod parameters;
mod resolve;
mod retry;
mod sniff;
mod target;
#[cfg(test)]
mod tests;
mod transport;

use futures::future::BoxFuture;

pub use self::http::HttpDownloader;
pub use accept::{InvalidTypePattern, TypePattern, accepts};
pub use access::{AccessRules, Denied};
pub use address::{SpecialUse, special_use};
pub use error::FetchError;
pub use gate::{DownloadQueue, Gate, GateCounts, GateOptions};
pub use hosts::{HostPattern, InvalidHostPattern};
pub use kind::{FailureKind, UnknownFailureKind};
pub use matrix::{Homeserver, HomeserverUrl, InvalidHomeserverUrl, InvalidToken};
pub use naming::{clean_filename, filename_for};
pub use options::{HttpOptions, HttpSetupError, Progress};
pub use resolve::{Resolve, SystemResolver};
pub use retry::{Retry, RetryOptions};
pub use sniff::media_type;

use crate::blob::Blob;

/// One piece of media, whole.
#[derive(Clone, Debug)]
pub struct Download {
    /// All bytes, in memory or in an open file without a name. Never empty where an [`HttpDownloader`] made it.
    pub body: Blob,
    /// The media type, such as `image/png`; see [`media_type`].
    pub mimetype: String,
    /// A name that is safe to give to a file; see [`filename_for`].
    pub filename: String,
}

/// What can turn a URL into media.
///
/// An async closure from `String` is one:
///
/// ```
/// use media_cache::blob::Blob;
/// use media_cache::download::{Download, Downloader, FetchError};
///
/// fn downloader() -> impl Downloader {
///     |url: String| async move {
///         let name = url.strip_prefix("example:").ok_or(FetchError::NotFound)?;
///         Ok(Download { body: Blob::from(name.to_owned()), mimetype: "text/plain".into(), filename: "name.txt".into() })
///     }
/// }
/// ```
pub trait Downloader: Send + Sync + 'static {
    /// Fetches what `url` names. Dropping the future abandons the download and leaves nothing behind.
    ///
    /// # Errors
    /// Why there is no media, as one of the things a caller can act on.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>>;
}

impl<F, Fut> Downloader for F
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Download, FetchError>> + Send + 'static,
{
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>> {
        Box::pin(self(url.to_owned()))
    }
}
