//! What a cache can be asked, on its way to the thread that owns the component.

use media_cache_interfaces::{FetchError, FetchedMedia};
use tokio::sync::oneshot;

use crate::component::cache_component::CacheComponent;
use crate::component::swap_error::ComponentSwapError;
use crate::media::{Delivered, EntryFilter, Health, Page, PutOutcome, Refreshed, Stats, Status, StoreError, Verified};
use crate::offers::OfferTurn;
use crate::resident_index::ResidentHandle;

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
        /// Whether an instance has converted it already, if that is to be done.
        is_converted: bool,
        reply: Reply<Result<PutOutcome, StoreError>>,
    },
    /// Store what an instance fetched that was on standby when it arrived, and answer the request for it.
    Admit {
        url: String,
        media: Box<FetchedMedia>,
        /// What the fetch took, in milliseconds.
        cost: u32,
        /// `None` if the request has been answered already, while the body was arriving.
        reply: Option<Reply<Result<Delivered, FetchError>>>,
        /// Dropped once that is done.
        stored: Option<Reply<()>>,
    },
    Remove {
        url: String,
        reply: Reply<Result<bool, StoreError>>,
    },
    /// Offer an entry to the memory tier whose open file was hit often. Nobody waits for that.
    Promote {
        url: String,
        handle: ResidentHandle,
        /// No other entry is offered before this is dropped.
        turn: OfferTurn,
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
        /// The number of entries that an instance has removed already.
        removed: u64,
        reply: Reply<Result<u64, StoreError>>,
    },
    Health(Reply<Health>),
    Checkpoint(Reply<Result<(), StoreError>>),
    Status(Reply<Status>),
    /// Every request does this; this one does nothing else.
    FlushHits(Reply<()>),
    /// Count what a replaced instance has counted.
    AddCounters(Box<Stats>),
    /// Replace the component.
    Replace {
        component: CacheComponent,
        reply: Reply<Result<(), ComponentSwapError>>,
    },
    /// Finish what is in progress, complete the index log, and end.
    Close(Reply<Result<(), StoreError>>),
}

impl Request {
    /// Whether an instance on standby can serve this as well as one that is active.
    pub fn suits_standby(&self) -> bool {
        match self {
            Self::Get { .. }
            | Self::GetOrDownload { .. }
            | Self::Promote { .. }
            | Self::Entries { .. }
            | Self::Health(_)
            | Self::Status(_)
            | Self::FlushHits(_) => true,
            Self::Refresh { .. }
            | Self::Put { .. }
            | Self::Admit { .. }
            | Self::Remove { .. }
            | Self::RemoveMatching { .. }
            | Self::Verify { .. }
            | Self::Checkpoint(_)
            | Self::AddCounters(_)
            | Self::Replace { .. }
            | Self::Close(_) => false,
        }
    }
}
