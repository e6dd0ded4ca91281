//! The types of requests to a cache and their results.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

pub use crate::bindings::cache::exports::media_cache::cache::cache::{
    Degradation, Durability, EntryFilter, Health, Listed, LoadReport, Page, Stats, StoreError, Verified,
};

use crate::bindings::cache::exports::media_cache::cache::cache::Source as ComponentSource;
use crate::bindings::cache::media_cache::cache::storage::Stamp;
use crate::component::record::ComponentStatus;
use crate::policy::record::PolicyStatus;
use media_cache_interfaces::{Blob, CacheControl, FetchError, FetchedMedia, Validators};

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the memory tier.
    Memory,
    /// From the directory.
    Disk,
    /// From the origin.
    Origin,
    /// From a [copy](crate::Blob::as_copy), such as one in a store that several caches share, instead of the origin.
    Copy,
}

impl Source {
    /// The source of media that was not stored.
    pub(crate) fn of_missing(body: &Blob) -> Self {
        if body.is_copy() { Self::Copy } else { Self::Origin }
    }

    /// The source of media, according to the component, which cannot tell a copy from an origin.
    pub(crate) fn of(source: ComponentSource, body: &Blob) -> Self {
        match source {
            ComponentSource::Memory => Self::Memory,
            ComponentSource::Disk => Self::Disk,
            ComponentSource::Origin => Self::of_missing(body),
        }
    }

    /// Whether the media was stored when it was requested.
    #[must_use]
    pub fn is_hit(self) -> bool {
        matches!(self, Self::Memory | Self::Disk)
    }
}

impl From<Source> for ComponentSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Memory => Self::Memory,
            Source::Disk => Self::Disk,
            Source::Origin | Source::Copy => Self::Origin,
        }
    }
}

/// Media as returned by a cache. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Media {
    info: Arc<MediaInfo>,
    /// The bytes. After a miss, they may still be arriving; readers then wait for the rest: see [`finished`](Self::finished).
    pub body: Blob,
    /// How the request was answered.
    pub source: Source,
}

/// The metadata of media: everything but the bytes.
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
    /// See [`Media::cost`].
    pub cost: u32,
    /// See [`Media::attachment`].
    pub attachment: Attachment,
}

/// A value that a server derives from media and keeps with it, such as a rendered response head. All hits on a resident entry share one
/// attachment, from the time when the entry becomes resident until it is evicted, removed or replaced.
#[derive(Default)]
pub struct Attachment(Mutex<Option<Arc<dyn Any + Send + Sync>>>);

impl Attachment {
    /// The attached value, if it has this type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?.downcast().ok()
    }

    /// Attaches a value, which replaces the previous one.
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
    /// Metadata of public media without validators, without a lifetime and of unknown cost.
    #[must_use]
    pub fn new(mimetype: impl Into<String>, filename: impl Into<String>, stored_at: SystemTime) -> Self {
        let (cache_control, validators) = (CacheControl::default(), Validators::default());
        let attachment = Attachment::default();
        Self { mimetype: mimetype.into(), filename: filename.into(), stored_at, cache_control, validators, cost: 0, attachment }
    }
}

impl Media {
    /// Media with these bytes.
    #[must_use]
    pub fn new(info: impl Into<Arc<MediaInfo>>, body: Blob, source: Source) -> Self {
        Self { info: info.into(), body, source }
    }

    /// Waits until the whole body has arrived. Returns immediately unless the media comes from a download that is in progress.
    ///
    /// # Errors
    /// The download failed. Nothing is stored in that case.
    pub async fn finished(&self) -> Result<(), FetchError> {
        self.body.finished().await
    }

    /// The media type. For a converted GIF, this is `video/mp4`.
    #[must_use]
    pub fn mimetype(&self) -> &str {
        &self.info.mimetype
    }

    /// A safe file name.
    #[must_use]
    pub fn filename(&self) -> &str {
        &self.info.filename
    }

    /// When the media was stored, or last confirmed by a refresh. For media that is not stored, when it was fetched or put. Media that is
    /// returned while its body is arriving has the time that the entry will have.
    #[must_use]
    pub fn stored_at(&self) -> SystemTime {
        self.info.stored_at
    }

    /// The origin's rules for storing the media. `age` is the age at [`stored_at`](Self::stored_at).
    #[must_use]
    pub fn cache_control(&self) -> CacheControl {
        self.info.cache_control
    }

    /// The validators, from which the origin can tell whether this version of the media is still current.
    #[must_use]
    pub fn validators(&self) -> &Validators {
        &self.info.validators
    }

    /// How long the fetch of the media took, in milliseconds. For media that is returned while its body is arriving, the time until then. 0
    /// if unknown, as for media that was put.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.info.cost
    }

    /// The value that a server keeps with the media.
    #[must_use]
    pub fn attachment(&self) -> &Attachment {
        &self.info.attachment
    }

    /// Converts the media to the form that a downloader returns.
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

    /// The metadata, to share.
    pub(crate) fn info(&self) -> &Arc<MediaInfo> {
        &self.info
    }
}

/// The outcome of a [`put`](crate::MediaCache::put).
#[derive(Clone, Debug)]
pub struct PutOutcome {
    /// The stored media, or the given media if nothing was stored.
    pub media: Media,
    /// Whether media was already stored for the URL. If so, it was kept, and `media` contains it.
    pub known: bool,
    /// Why nothing was stored. `None` if the media was stored, or if media was already stored for the URL.
    pub not_stored: Option<StoreError>,
}

/// The outcome of a [`refresh`](crate::MediaCache::refresh).
#[derive(Clone, Debug)]
pub struct RefreshOutcome {
    /// The media as fetched, or as stored if it is still current.
    pub media: Media,
    /// Whether the media differs from what was stored. False if the origin confirmed the stored media, or sent the same bytes again. True
    /// if nothing was stored. Fetched media that could not be stored is not compared, and counts as modified.
    pub modified: bool,
    /// Why the fetched media, or the confirmation, was not stored; any media stored before then remains. `None` if it was stored.
    pub not_stored: Option<StoreError>,
}

/// The state of a cache.
#[derive(Clone, Debug)]
pub struct Status {
    /// Counters and current values of the cache.
    pub cache: Stats,
    /// The state of the component.
    pub component: ComponentStatus,
    /// The state of the policy.
    pub policy: PolicyStatus,
    /// The number of blobs that the component holds. While nothing is in progress, these are only the resident entries and the open files.
    pub blob_handles: usize,
    /// How often the component crashed and was restarted.
    pub restarts: u64,
}

/// Media as the component returned it.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub media: Media,
    /// The instance of the component that returned the media.
    pub instance: u64,
    pub handle: Option<u64>,
    /// The bytes of the entry if it is resident. The reference is alive as long as the component holds them.
    pub resident: Weak<Blob>,
    /// The file of the entry if it is open. The reference is alive as long as the component keeps it open.
    pub file: Weak<Blob>,
    /// The version of the sidecar that says what the media is.
    pub sidecar: Option<Stamp>,
}

/// The outcome of a refresh as the component returned it.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub media: Delivered,
    pub modified: bool,
    pub not_stored: Option<StoreError>,
}
