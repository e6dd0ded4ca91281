//! What goes into a cache and comes out of it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

pub use crate::bindings::cache::exports::media_cache::cache::cache::{
    Degradation, Durability, EntryFilter, Health, Listed, LoadReport, Page, Source, Stats, StoreError, Verified,
};

use crate::component::record::ComponentStatus;
use crate::policy::record::PolicyStatus;
use media_cache_interfaces::{Blob, CacheControl, FetchedMedia, Validators};

/// Media as a cache serves it. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Media {
    info: Arc<MediaInfo>,
    /// The bytes.
    pub body: Blob,
    /// How the request was answered.
    pub source: Source,
}

/// What is known about media besides its bytes.
#[derive(Debug)]
pub struct MediaInfo {
    /// See [`Media::mimetype`].
    pub mimetype: String,
    /// See [`Media::filename`].
    pub filename: String,
    /// See [`Media::stored_at`].
    pub stored_at: SystemTime,
    /// See [`Media::cache_control`].
    pub cache_control: CacheControl,
    /// See [`Media::validators`].
    pub validators: Validators,
    /// See [`Media::attachment`].
    pub attachment: Attachment,
}

/// Something that a server has made from media, such as the head of a response, and keeps with it. The media of all hits in memory has
/// the same one, from when the entry becomes resident until it is evicted, removed or replaced.
#[derive(Default)]
pub struct Attachment(Mutex<Option<Arc<dyn Any + Send + Sync>>>);

impl Attachment {
    /// What was attached last, if it is of this type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?.downcast().ok()
    }

    /// Attaches a value in place of the one before.
    pub fn set<T: Any + Send + Sync>(&self, value: Arc<T>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment")
    }
}

impl MediaInfo {
    /// What is known about public media of which the origin said nothing else.
    #[must_use]
    pub fn new(mimetype: impl Into<String>, filename: impl Into<String>, stored_at: SystemTime) -> Self {
        let (cache_control, validators) = (CacheControl::default(), Validators::default());
        let attachment = Attachment::default();
        Self { mimetype: mimetype.into(), filename: filename.into(), stored_at, cache_control, validators, attachment }
    }
}

impl Media {
    /// Media with these bytes.
    #[must_use]
    pub fn new(info: impl Into<Arc<MediaInfo>>, body: Blob, source: Source) -> Self {
        Self { info: info.into(), body, source }
    }

    /// The media type. That of a GIF that was converted is `video/mp4`.
    #[must_use]
    pub fn mimetype(&self) -> &str {
        &self.info.mimetype
    }

    /// A safe file name.
    #[must_use]
    pub fn filename(&self) -> &str {
        &self.info.filename
    }

    /// When it was stored, or fetched if it is not stored.
    #[must_use]
    pub fn stored_at(&self) -> SystemTime {
        self.info.stored_at
    }

    /// What the origin says about keeping it. Its age is that at [`stored_at`](Self::stored_at).
    #[must_use]
    pub fn cache_control(&self) -> CacheControl {
        self.info.cache_control
    }

    /// What identifies this version of it to its origin.
    #[must_use]
    pub fn validators(&self) -> &Validators {
        &self.info.validators
    }

    /// What a server keeps with it.
    #[must_use]
    pub fn attachment(&self) -> &Attachment {
        &self.info.attachment
    }

    /// The media as one that fetched it would hand it in.
    pub(crate) fn into_fetched(self) -> FetchedMedia {
        let Self { info, body, .. } = self;
        FetchedMedia {
            body,
            mimetype: info.mimetype.clone(),
            filename: info.filename.clone(),
            cache_control: info.cache_control,
            validators: info.validators.clone(),
        }
    }

    /// What is known about it, to share.
    pub(crate) fn info(&self) -> &Arc<MediaInfo> {
        &self.info
    }
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

/// What became of a refresh.
#[derive(Clone, Debug)]
pub struct RefreshOutcome {
    /// The media as fetched, or as stored if it is still current.
    pub media: Media,
    /// Whether the media differs from what was stored. False if the origin confirmed that, or sent the same bytes again.
    pub modified: bool,
    /// Why the fetched media was not stored, if it was not. What was stored before remains.
    pub not_stored: Option<StoreError>,
}

/// The state of a cache.
#[derive(Clone, Debug)]
pub struct Status {
    /// What the cache counts.
    pub cache: Stats,
    /// What the host knows of the component.
    pub component: ComponentStatus,
    /// What the host knows of the policy.
    pub policy: PolicyStatus,
    /// Blobs that the component holds. While nothing is under way these are the resident entries and the open files, and no more.
    pub blob_handles: usize,
    /// How often the component broke down and was started again.
    pub restarts: u64,
}

/// Media as the component handed it over.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub media: Media,
    /// The instance of the component that did.
    pub instance: u64,
    pub handle: Option<u64>,
    /// The bytes of the entry if it is resident. Alive for as long as the component holds them.
    pub resident: Weak<Blob>,
    /// The file of the entry if it is open. Alive for as long as the component keeps it open.
    pub file: Weak<Blob>,
    /// What its fetch took, in milliseconds. 0 if unknown.
    pub cost: u32,
}

/// A refresh as the component handed it over.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub media: Delivered,
    pub modified: bool,
    pub not_stored: Option<StoreError>,
}
