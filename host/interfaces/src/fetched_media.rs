//! The result of a successful download.

use crate::blob::Blob;

/// One complete piece of media.
#[derive(Clone, Debug)]
pub struct FetchedMedia {
    /// All bytes, in memory or in an open file without a name. Empty media counts as a failed download.
    pub body: Blob,
    /// The media type, such as `image/png`.
    pub mimetype: String,
    /// A suggested file name. The cache makes it safe.
    pub filename: String,
    /// What the origin says about keeping the media.
    pub cache_control: CacheControl,
    /// What identifies this version of the media to its origin.
    pub validators: Validators,
}

/// What an origin says about keeping a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// Who may keep it.
    pub cacheability: Cacheability,
    /// For how many seconds the response is fresh, from when the origin made it, if the origin said so. Entries never expire.
    pub max_age: Option<u32>,
    /// How many seconds old the response was when it was fetched.
    pub age: u32,
}

/// Who may keep a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cacheability {
    /// Everyone, shared caches included.
    #[default]
    Public,
    /// The cache that fetched it, and the clients that it serves, but no shared cache behind it.
    Private,
    /// Nobody: the media is returned and not stored.
    NoStore,
}

/// What identifies a version of a response to its origin: header values as received, at most 1024 bytes of visible ASCII and spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`, with its quotes.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there are none, so that a request cannot be conditional.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// The result of a successful download that may have been conditional.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The media.
    Media(FetchedMedia),
    /// The media with these validators is still current. Says anew what the origin says about keeping it.
    NotModified(CacheControl),
}

impl FetchedMedia {
    /// Public media about whose keeping the origin said nothing.
    pub fn new(body: impl Into<Blob>, mimetype: impl Into<String>, filename: impl Into<String>) -> Self {
        let (cache_control, validators) = Default::default();
        Self { body: body.into(), mimetype: mimetype.into(), filename: filename.into(), cache_control, validators }
    }
}
