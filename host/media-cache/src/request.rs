//! What a cache can be asked, on its way to the thread that owns the component.

use media_cache_interfaces::FetchError;
use tokio::sync::oneshot;

use crate::media::{Delivered, LoadReport, Offered, Page, PutOutcome, Status, StoreError};

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What a cache can be asked.
pub(crate) enum Request {
    Load(Reply<Result<LoadReport, StoreError>>),
    Get {
        url: String,
        reply: Reply<Option<Delivered>>,
    },
    GetOrDownload {
        url: String,
        reply: Reply<Result<Delivered, FetchError>>,
    },
    Put {
        url: String,
        offered: Offered,
        reply: Reply<Result<PutOutcome, StoreError>>,
    },
    Remove {
        url: String,
        reply: Reply<bool>,
    },
    Entries {
        after: Option<u64>,
        limit: u32,
        reply: Reply<Page>,
    },
    Checkpoint(Reply<Result<(), StoreError>>),
    Status(Reply<Status>),
    /// Every request does this; this one does nothing else.
    FlushHits(Reply<()>),
    /// Finish what is under way, write the checkpoint, and end.
    Close(Reply<Result<(), StoreError>>),
}
