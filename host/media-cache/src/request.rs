//! What a cache can be asked, on its way to the thread that owns the component.

use media_cache_interfaces::{FetchError, FetchedMedia};
use tokio::sync::oneshot;

use crate::media::{Delivered, EntryFilter, Health, Page, PutOutcome, Refreshed, Status, StoreError, Verified};

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What a cache can be asked.
pub(crate) enum Request {
    Get {
        url: String,
        reply: Reply<Option<Delivered>>,
    },
    GetOrDownload {
        url: String,
        reply: Reply<Result<Delivered, FetchError>>,
    },
    Refresh {
        url: String,
        reply: Reply<Result<Refreshed, FetchError>>,
    },
    Put {
        url: String,
        /// Boxed, since it is much larger than any other request.
        media: Box<FetchedMedia>,
        reply: Reply<Result<PutOutcome, StoreError>>,
    },
    Remove {
        url: String,
        reply: Reply<Result<bool, StoreError>>,
    },
    Verify {
        url: String,
        reply: Reply<Verified>,
    },
    Entries {
        after: Option<u64>,
        limit: u32,
        reply: Reply<Page>,
    },
    RemoveMatching {
        filter: EntryFilter,
        reply: Reply<Result<u64, StoreError>>,
    },
    Health(Reply<Health>),
    Checkpoint(Reply<Result<(), StoreError>>),
    Status(Reply<Status>),
    /// Every request does this; this one does nothing else.
    FlushHits(Reply<()>),
    /// Finish what is in progress, complete the index log, and end.
    Close(Reply<Result<(), StoreError>>),
}
