//! Requests to a cache, on their way to the driver thread, which owns the component.

use std::sync::Arc;
use std::time::SystemTime;

use media_cache_interfaces::{Downloader, FetchError, FetchedMedia};
use tokio::sync::oneshot;

use crate::component::cache_component::CacheComponent;
use crate::component::swap_error::ComponentSwapError;
use crate::media::{Delivered, EntryFilter, Health, Page, PutOutcome, Refreshed, Stats, Status, StoreError, Verified};
use crate::offers::OfferTurn;
use crate::resident_index::ResidentHandle;

/// Where a request's answer is sent.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// A request to a cache.
pub(crate) enum Request {
    Get {
        url: String,
        reply: Reply<Option<Delivered>>,
    },
    GetOrDownload {
        url: String,
        /// Fetches the media for this call. `None` for the cache's own downloader.
        downloader: Option<Arc<dyn Downloader>>,
        reply: Reply<Result<Delivered, FetchError>>,
    },
    Refresh {
        url: String,
        /// Fetches the media for this call. `None` for the cache's own downloader.
        downloader: Option<Arc<dyn Downloader>>,
        reply: Reply<Result<Refreshed, FetchError>>,
    },
    Put {
        url: String,
        /// Boxed, since it is much larger than any other request.
        media: Box<FetchedMedia>,
        /// Whether an instance has already converted the media, if it needs to be converted.
        is_converted: bool,
        reply: Reply<Result<PutOutcome, StoreError>>,
    },
    /// Stores media that was fetched by an instance that was on standby when the media arrived, and answers the request for it.
    Admit {
        url: String,
        media: Box<FetchedMedia>,
        /// The duration of the fetch in milliseconds.
        cost: u32,
        /// When it was stored, according to the response to the request.
        stored_at: SystemTime,
        /// `None` if the request was already answered while the body was arriving.
        reply: Option<Reply<Result<Delivered, FetchError>>>,
        /// Dropped once the media is stored.
        stored: Option<Reply<()>>,
    },
    Remove {
        url: String,
        reply: Reply<Result<bool, StoreError>>,
    },
    /// Offers the memory tier an entry whose open file was hit often. Nothing waits for the result.
    Promote {
        url: String,
        handle: ResidentHandle,
        /// No other entry is offered until this is dropped.
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
        /// The number of entries that an instance has already removed.
        removed: u64,
        reply: Reply<Result<u64, StoreError>>,
    },
    /// Waits until no fetch of an entry is in progress.
    Settled {
        url: String,
        reply: Reply<()>,
    },
    Health(Reply<Health>),
    Checkpoint(Reply<Result<(), StoreError>>),
    Status(Reply<Status>),
    /// Flushes the hits. Every request does that; this one does nothing else.
    FlushHits(Reply<()>),
    /// Adds the counts of a replaced instance.
    AddCounters(Box<Stats>),
    /// Replaces the component.
    Replace {
        component: CacheComponent,
        reply: Reply<Result<(), ComponentSwapError>>,
    },
    /// Finishes the work in progress, completes the index log, and ends the driver.
    Close(Reply<Result<(), StoreError>>),
}

impl Request {
    /// Whether an instance on standby can serve this as well as an active one.
    pub fn suits_standby(&self) -> bool {
        match self {
            Self::Get { .. }
            | Self::GetOrDownload { .. }
            | Self::Promote { .. }
            | Self::Entries { .. }
            | Self::Settled { .. }
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
