//! The messages between an attached process and the owner of the directory.
//!
//! The attached process sends a [`Hello`], which the owner answers with a [`Welcome`]. Then the attached process sends one [`Call`] at a
//! time, and the owner replies with one [`Answer`]. Before that, the owner may send [`Answer::Fetch`], if the caller supplied a downloader:
//! the attached process replies with a [`Fetched`]. Closing the connection cancels the call.
//!
//! Both processes must use the same [`VERSION`], which changes with any change of these types.

use std::time::SystemTime;

use media_cache::{
    CacheControl, CacheError, Cacheability, ComponentStatus, CustomFailure, Degradation, EntryFilter, FetchError, Health, Listed,
    LoadReport, Outage, Page, PolicySpec, PolicyStatus, Source, Stats, Status, StoreError, Validators,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::options::DirectoryOptions;

/// The version of the protocol.
pub(crate) const VERSION: u32 = 5;

/// The first message of an attached process.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hello {
    pub version: u32,
}

/// The owner's reply. All versions have these fields.
#[derive(Serialize, Deserialize)]
pub(crate) struct Welcome {
    /// The version of the owner's program, for error messages.
    pub program: String,
    /// `None` if the owner speaks another version.
    pub admission: Option<Admission>,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Admission {
    Accepted(OwnerInfo),
    /// The owner has this number of connections, all of them in use. It closes this one.
    Full(usize),
}

/// What attached processes know about the owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnerInfo {
    /// A random number that tells this owner from others of the same directory.
    pub id: u64,
    pub options: DirectoryOptions,
    /// Whether it removes the copy of an entry together with the entry.
    pub has_copies: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Call {
    Get {
        url: String,
    },
    GetOrDownload {
        url: String,
        /// Whether the caller downloads the media itself, if nothing is stored.
        has_downloader: bool,
    },
    Refresh {
        url: String,
    },
    /// With the body.
    Put {
        url: String,
        media: MediaHead,
    },
    Remove {
        url: String,
    },
    RemoveMatching {
        #[serde(with = "EntryFilterDef")]
        filter: EntryFilter,
    },
    Entries {
        after: Option<u64>,
        limit: u32,
    },
    Status,
    Health,
    Checkpoint,
    Policy,
    SwapPolicy {
        spec: PolicySpec,
    },
    RollbackPolicy,
    /// A process that has to own the directory claims it.
    HandOver {
        /// Its options.
        options: DirectoryOptions,
    },
}

impl Call {
    /// Whether the call may wait for a download.
    pub fn may_download(&self) -> bool {
        matches!(self, Self::GetOrDownload { .. } | Self::Refresh { .. })
    }
}

/// A reply of the owner. Media is followed by its body.
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The caller's downloader is to fetch this URL.
    Fetch {
        url: String,
        validators: WireValidators,
    },
    /// The result of `Get`; `None` if nothing is stored.
    Media(Option<MediaHead>),
    Put {
        media: MediaHead,
        known: bool,
        not_stored: Option<WireStoreError>,
    },
    Refreshed {
        media: MediaHead,
        modified: bool,
        not_stored: Option<WireStoreError>,
    },
    Removed(u64),
    Entries {
        entries: Vec<WireListed>,
        next: Option<u64>,
    },
    Status(Box<WireStatus>),
    Health(#[serde(with = "HealthDef")] Health),
    Done,
    /// The directory is not handed over, because of this conflict. Without one, the owner never does.
    NotHandedOver(Option<String>),
    Policy(Box<PolicyStatus>),
    /// The policy was not replaced; the text says why.
    PolicyKept(String),
    Failed {
        #[serde(with = "CacheErrorDef")]
        error: CacheError,
        /// Whether this is the failure with which the caller's downloader failed.
        is_own: bool,
    },
}

/// The result of the caller's downloader. Media is followed by its body.
#[derive(Serialize, Deserialize)]
pub(crate) enum Fetched {
    Media(MediaHead),
    NotModified(WireCacheControl),
    Failed(#[serde(with = "FetchErrorDef")] FetchError),
}

/// Media without its body.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct MediaHead {
    pub mimetype: String,
    pub filename: String,
    pub stored_at: SystemTime,
    #[serde(with = "SourceDef")]
    pub source: Source,
    #[serde(with = "CacheControlDef")]
    pub cache_control: CacheControl,
    #[serde(with = "ValidatorsDef")]
    pub validators: Validators,
    /// The length of the body in bytes.
    pub length: u64,
}

/// The answer to [`Call::Status`].
#[derive(Serialize, Deserialize)]
pub(crate) struct WireStatus {
    #[serde(with = "StatusDef")]
    pub status: Status,
    pub load: Option<WireLoadReport>,
}

/// Declares newtypes for types of other crates, whose representation is that of the definition with the same name below.
macro_rules! wire {
    ($($wire:ident($type:ident) = $definition:literal;)+) => {
        $(
            #[derive(Serialize, Deserialize)]
            #[serde(transparent)]
            pub(crate) struct $wire(#[serde(with = $definition)] pub $type);
        )+
    };
}

wire! {
    WireValidators(Validators) = "ValidatorsDef";
    WireCacheControl(CacheControl) = "CacheControlDef";
    WireStoreError(StoreError) = "StoreErrorDef";
    WireListed(Listed) = "ListedDef";
    WireLoadReport(LoadReport) = "LoadReportDef";
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self::Entries { entries: page.entries.into_iter().map(WireListed).collect(), next: page.next }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EntryFilter")]
enum EntryFilterDef {
    Host(String),
    Prefix(String),
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Source")]
enum SourceDef {
    Memory,
    Disk,
    Origin,
    Copy,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Cacheability")]
enum CacheabilityDef {
    Public,
    Private,
    NoStore,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CacheControl")]
struct CacheControlDef {
    #[serde(with = "CacheabilityDef")]
    cacheability: Cacheability,
    max_age: Option<u32>,
    age: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Validators")]
struct ValidatorsDef {
    etag: Option<String>,
    last_modified: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "StoreError")]
enum StoreErrorDef {
    InvalidUrl(String),
    Oversize(u64),
    Refused,
    NoStore,
    NotReady,
    NoSpace(u64),
    Disk(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Degradation")]
struct DegradationDef {
    reason: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Health")]
enum HealthDef {
    Storing,
    Degraded(#[serde(with = "DegradationDef")] Degradation),
    Recovering,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "LoadReport")]
struct LoadReportDef {
    entries: u64,
    from_index: u64,
    leftovers: u64,
    damaged: u64,
    evicted: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Listed")]
struct ListedDef {
    url: String,
    mimetype: String,
    filename: String,
    size: u64,
    disk_size: u64,
    stored_at: u64,
    accessed_at: u64,
    hits: u64,
    resident: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Status")]
struct StatusDef {
    #[serde(with = "StatsDef")]
    cache: Stats,
    component: ComponentStatus,
    policy: PolicyStatus,
    blob_handles: usize,
    restarts: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Stats")]
struct StatsDef {
    entries: u64,
    resident_entries: u64,
    media_bytes: u64,
    disk_bytes: u64,
    max_disk_bytes: u64,
    max_entry_bytes: u64,
    other_disk_bytes: u64,
    memory_bytes: u64,
    max_memory_bytes: u64,
    max_memory_items: u32,
    open_files: u32,
    max_open_files: u32,
    hits: u64,
    disk_hits: u64,
    misses: u64,
    coalesced: u64,
    remembered_failures: u64,
    downloads: u64,
    download_failures: u64,
    stored: u64,
    evictions: u64,
    memory_evictions: u64,
    refused: u64,
    oversize: u64,
    no_store: u64,
    not_ready: u64,
    store_failures: u64,
    damaged: u64,
    refreshes_modified: u64,
    refreshes_unmodified: u64,
    refresh_failures: u64,
    transcoded: u64,
    transcode_failures: u64,
    policy_rejected_ids: u64,
    policy_shortfalls: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Outage")]
struct OutageDef {
    reason: String,
    since: SystemTime,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "CacheError")]
enum CacheErrorDef {
    Fetch(#[serde(with = "FetchErrorDef")] FetchError),
    Store(#[serde(with = "StoreErrorDef")] StoreError),
    Copy(String),
    BrokeDown,
    Unavailable(#[serde(with = "OutageDef")] Outage),
    Closed,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "FetchError")]
enum FetchErrorDef {
    InvalidUrl(String),
    Refused(String),
    NotFound,
    Gone,
    Denied(u16),
    UnavailableForLegalReasons,
    OriginStatus(u16),
    TooLarge(u64),
    TimedOut(String),
    Unreachable(String),
    BrokenAnswer(String),
    ShortBody(String),
    OverlongBody(String),
    EmptyBody,
    PartialBody,
    EncodedBody(String),
    UnacceptableType(String),
    TooManyRedirects(u32),
    Unavailable(Option<u32>),
    Overloaded(Option<u32>),
    Custom(#[serde(serialize_with = "message", deserialize_with = "failure")] CustomFailure),
    Other(String),
}

/// Another process cannot use the cause of a failure, but its message.
fn message<S: Serializer>(failure: &CustomFailure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(failure)
}

fn failure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CustomFailure, D::Error> {
    String::deserialize(deserializer).map(CustomFailure::new)
}
