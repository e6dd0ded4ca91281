//! The results of a successful download.

use crate::blob::Blob;

/// Media from an origin.
#[derive(Clone, Debug)]
pub struct FetchedMedia {
    /// The bytes, in memory or in an open, unnamed file. They may still be arriving: see [`Blob::finished`]. Empty media counts as a failed
    /// download.
    pub body: Blob,
    /// The media type, such as `image/png`. The cache replaces text that is not a media type with `application/octet-stream`.
    pub mimetype: String,
    /// A suggested file name. The cache sanitises it.
    pub filename: String,
    /// The origin's rules for storing the media.
    pub cache_control: CacheControl,
    /// The validators that identify this version of the media in conditional requests.
    pub validators: Validators,
}

/// An origin's rules for storing a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// Which caches may store the response.
    pub cacheability: Cacheability,
    /// How many seconds the response remains fresh after the origin generated it, if the origin states this. Entries never expire.
    pub max_age: Option<u32>,
    /// How old the response was when it was fetched, in seconds. 0 if unknown.
    pub age: u32,
}

/// Which caches may store a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cacheability {
    /// Any cache, including shared caches.
    #[default]
    Public,
    /// Only the cache that fetched the response, for the clients that it serves; no shared cache downstream.
    Private,
    /// None. The media is returned to the requests that are waiting for it, and is not stored.
    NoStore,
}

/// Identifies a version of a response in conditional requests to its origin. The values are those of the response headers, as received.
/// Each has 1 to 1024 visible ASCII characters and spaces; the cache drops other values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`, with its quotes and, for a weak validator, its `W/`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there are no validators. A request without validators is unconditional.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// The result of a successful download that may be conditional.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The media.
    Media(FetchedMedia),
    /// The media with the given validators is still current. The payload contains the origin's current rules for storing it.
    NotModified(CacheControl),
}

impl Fetched {
    /// The body of the media, if there is any.
    #[must_use]
    pub fn body(&self) -> Option<&Blob> {
        match self {
            Self::Media(media) => Some(&media.body),
            Self::NotModified(_) => None,
        }
    }
}

impl FetchedMedia {
    /// Public media without validators and without a lifetime.
    pub fn new(body: impl Into<Blob>, mimetype: impl Into<String>, filename: impl Into<String>) -> Self {
        let (cache_control, validators) = Default::default();
        Self { body: body.into(), mimetype: mimetype.into(), filename: filename.into(), cache_control, validators }
    }
}
