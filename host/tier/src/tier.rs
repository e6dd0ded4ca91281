//! A tier, as a node uses it.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use media_cache::policy::RequestObserver;
use media_cache::{Copies, MediaCache};
use media_cache_entry_files::KeyDigest;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::counters::Counters;
use crate::failure::StoreFailure;
use crate::lease::StoreClock;
use crate::location::{Location, LocationError};
use crate::options::TierOptions;
use crate::status::{Direction, TierStatus};
use crate::store::Store;
use crate::uploads;
use crate::usage::Usage;

/// A tier, as a node uses it. Clones share the connection, the queue and the counters.
#[derive(Clone)]
pub struct Tier(Arc<Shared>);

pub(crate) struct Shared {
    location: Location,
    pub store: Store,
    pub options: TierOptions,
    pub counters: Counters,
    pub clock: StoreClock,
    /// A permit for each entry that waits to be uploaded or is being uploaded.
    pub queue: Arc<Semaphore>,
    /// A permit for each entry that is being uploaded.
    pub running: Semaphore,
    /// The cache whose entries are uploaded, once it is known.
    pub cache: watch::Sender<Option<MediaCache>>,
    /// Whether the node is about to stop.
    pub closing: watch::Sender<bool>,
    /// When it was last logged that an upload was dropped.
    pub logged_dropped: Mutex<Option<Instant>>,
    usage: Arc<Usage>,
}

impl Tier {
    /// A tier at this location. Credentials and further options for the store come from the environment. Nothing is requested from the store
    /// yet.
    ///
    /// # Errors
    /// If the directory does not exist, or the options in the environment are incomplete or invalid.
    pub fn open(location: Location, options: TierOptions) -> Result<Self, LocationError> {
        let store = Store::open(&location, options.timeout)?;
        Ok(Self::of(location, store, options))
    }

    pub(crate) fn of(location: Location, store: Store, options: TierOptions) -> Self {
        Self(Arc::new(Shared {
            location,
            store,
            counters: Counters::default(),
            clock: StoreClock::default(),
            queue: Arc::new(Semaphore::new(options.max_queue)),
            running: Semaphore::new(options.max_uploads),
            cache: watch::Sender::new(None),
            closing: watch::Sender::new(false),
            logged_dropped: Mutex::default(),
            usage: Arc::default(),
            options,
        }))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// Where the tier is.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.0.location
    }

    /// Notes which entries are used. The node lists them in the store every hour, and [`Inventory::trim`](crate::Inventory::trim) reads
    /// these lists.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn RequestObserver> {
        self.0.usage.clone()
    }

    /// Uploads the entries of this cache from now on, after downloads by this tier's [downloader](Self::downloader), and lists what is
    /// used, until [`finish`](Self::finish) is called.
    pub fn follow(&self, cache: MediaCache) {
        self.0.cache.send_replace(Some(cache));
        let tier = self.0.clone();
        tokio::spawn(async move {
            let mut closing = tier.closing.subscribe();
            tokio::select! {
                () = tier.usage.keep_listing(&tier) => {}
                _ = closing.wait_for(|is_closing| *is_closing) => {}
            }
        });
    }

    /// Waits until everything has been uploaded, at most for `limit`, and lists what was used. To be called before the cache is closed.
    pub async fn finish(&self, limit: Duration) {
        uploads::finish(&self.0, limit).await;
        self.0.usage.list_all(&self.0).await;
        // The cache can only be closed when nothing uses it.
        self.0.cache.send_replace(None);
    }

    /// Removes an entry, so that no node gets it from the store again. Returns whether there was one, as far as the store says so.
    ///
    /// # Errors
    /// If the store fails; the entry may still be there then.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        let permit = self.0.store.writes.permit()?;
        permit.report(self.0.store.remove(digest).await)
    }

    /// The current state and the counters.
    #[must_use]
    pub fn status(&self) -> TierStatus {
        let Shared { store, counters, queue, options, .. } = &*self.0;
        TierStatus {
            location: self.0.location.to_string(),
            reads: Direction { outage: store.reads.outage() },
            writes: Direction { outage: store.writes.outage() },
            lookups: counters.lookups(),
            lookup_seconds: counters.lookup_time.snapshot(),
            received_bytes: counters.received_bytes.load(Relaxed),
            uploads: counters.uploads(),
            sent_bytes: counters.sent_bytes.load(Relaxed),
            queued: (options.max_queue - queue.available_permits().min(options.max_queue)) as u64,
            leases: counters.leases(),
        }
    }
}

impl Copies for Tier {
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let removed = self.remove(KeyDigest::of(key)).await;
            removed.map_err(|failure| format!("the copy in the second tier {} may still exist: {failure}", self.location()))
        })
    }
}

impl Store {
    /// Removes both objects of an entry, the sidecar first: an entry without one does not exist.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        let existed = self.delete(&self.names.sidecar(digest)).await?;
        self.delete(&self.names.media(digest)).await?;
        Ok(existed)
    }
}

impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier").field("location", &self.0.location).finish_non_exhaustive()
    }
}
