//! What goes into a cache and comes out of it.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use wasmtime::component::Resource;

pub use crate::bindings::cache::exports::media_cache::cache::cache::{Listed, LoadReport, Page, Source, Stats, StoreError};

use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::blob::Blob;
use crate::policy::PolicyStatus;
use crate::state::State;

/// A cached thing.
#[derive(Clone, Debug)]
pub struct Media {
    /// The media type. That of a GIF that became a film is `video/mp4`.
    pub mimetype: Arc<str>,
    /// A plain file name.
    pub filename: Arc<str>,
    /// The bytes.
    pub body: Blob,
    /// How the request was answered.
    pub source: Source,
    /// When it was stored.
    pub stored_at: SystemTime,
}

/// What became of a put.
#[derive(Clone, Debug)]
pub struct PutOutcome {
    /// What is stored, or would have been.
    pub media: Media,
    /// Whether the URL was known, so that the older bytes were kept.
    pub known: bool,
    /// Why nothing was stored, if nothing was.
    pub not_stored: Option<StoreError>,
}

/// The state of a cache.
#[derive(Clone, Debug)]
pub struct Status {
    /// What the cache counts.
    pub cache: Stats,
    /// What the host knows of the policy.
    pub policy: PolicyStatus,
    /// Blobs that the component holds. While nothing is under way these are the resident entries and no more.
    pub blob_handles: usize,
    /// How often the component broke down and was started again.
    pub restarts: u64,
}

/// Media as the component handed it over.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub media: Media,
    pub ticket: Option<u64>,
    /// Alive for as long as the component holds the blob.
    pub held: Weak<Blob>,
}

impl Delivered {
    /// Takes the blob out of the component's table.
    pub fn take(state: &mut State, media: wit::Media) -> wasmtime::Result<Self> {
        let body = state.take_back(media.body)?;
        Ok(Self {
            media: Media {
                mimetype: media.mimetype.into(),
                filename: media.filename.into(),
                body: Blob::clone(&body),
                source: media.source,
                stored_at: SystemTime::UNIX_EPOCH + Duration::from_millis(media.stored_at),
            },
            ticket: media.ticket,
            held: Arc::downgrade(&body),
        })
    }
}

/// Media on its way into the component.
pub(crate) struct Offered {
    pub body: Blob,
    pub mimetype: String,
    pub filename: String,
}

impl Offered {
    /// Puts the blob into the component's table.
    pub fn hand_in(self, state: &mut State) -> wasmtime::Result<(Resource<crate::imports::BlobHandle>, String, String)> {
        Ok((state.hand_in(Arc::new(self.body))?, self.mimetype, self.filename))
    }
}
