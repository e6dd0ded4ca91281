//! What goes into a cache and comes out of it.

use std::sync::{Arc, Weak};
use std::time::SystemTime;

pub use crate::bindings::cache::exports::media_cache::cache::cache::{
    Degradation, EntryFilter, Health, Listed, LoadReport, Page, Source, Stats, StoreError,
};

use crate::policy::record::PolicyStatus;
use media_cache_interfaces::{Blob, CacheControl, Validators};

/// A cached thing.
#[derive(Clone, Debug)]
pub struct Media {
    /// The media type. That of a GIF that was converted is `video/mp4`.
    pub mimetype: Arc<str>,
    /// A plain file name.
    pub filename: Arc<str>,
    /// The bytes.
    pub body: Blob,
    /// How the request was answered.
    pub source: Source,
    /// When it was stored.
    pub stored_at: SystemTime,
    /// What the origin says about keeping it.
    pub cache_control: CacheControl,
    /// What identifies this version of it to its origin.
    pub validators: Arc<Validators>,
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
    pub handle: Option<u64>,
    /// Alive for as long as the component holds the blob.
    pub resident: Weak<Blob>,
}
