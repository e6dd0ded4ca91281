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
use tokio::time::{Instant, timeout};

use crate::changes::Changes;
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
    pub changes: Changes,
    /// A permit for each lookup.
    pub lookups: Semaphore,
    /// Until when no leases are requested, because the store failed to create one.
    pub no_leases_until: Mutex<Option<Instant>>,
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
            changes: Changes::default(),
            lookups: Semaphore::new(options.max_lookups),
            no_leases_until: Mutex::default(),
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
            tokio::select! {
                () = tier.usage.keep_listing(&tier) => {}
                () = tier.closing() => {}
            }
        });
    }

    /// Waits until everything has been uploaded, at most for `limit`. To be called before the cache is closed. After that, lookups end
    /// without a result, and nothing is uploaded.
    pub async fn finish(&self, limit: Duration) {
        uploads::finish(&self.0, limit).await;
        self.0.cache.send_replace(None);
    }

    /// Lists in the store what was used and is not listed yet, at most for `limit`. To be called after the cache was closed, which reports
    /// the last hits.
    pub async fn list_used(&self, limit: Duration) {
        if timeout(limit, self.0.usage.list_all(&self.0)).await.is_err() {
            tracing::warn!("cannot list in the second tier what was used in the last hour; trimming may delete it");
        }
    }

    /// Removes an entry, so that no node gets it from the store again. Returns whether there was one.
    ///
    /// # Errors
    /// If the store fails; the entry may still be there then.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        self.0.remove(digest).await
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

impl Shared {
    /// Removes an entry. What is being read or written is outdated from now on.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        self.changes.change(digest);
        let permit = self.store.writes.permit()?;
        permit.report(self.store.remove(digest).await)
    }

    /// Completes when the node is about to stop.
    pub async fn closing(&self) {
        // The sender is not dropped before this.
        let _ = self.closing.subscribe().wait_for(|is_closing| *is_closing).await;
    }
}

impl Copies for Tier {
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let removed = self.remove(KeyDigest::of(key)).await;
            removed.map_err(|failure| format!("its copy in the second tier {} may still exist: {failure}", self.location()))
        })
    }
}

impl Store {
    /// Removes both objects of an entry, the sidecar first: an entry without one does not exist.
    pub async fn remove(&self, digest: KeyDigest) -> Result<bool, StoreFailure> {
        let (sidecar, media) = (self.names.sidecar(digest), self.names.media(digest));
        // Some stores do not say whether what they delete existed.
        let existed = match self.meta(&sidecar).await {
            Err(StoreFailure::NotFound) => false,
            found => found.map(|_| true)?,
        };
        self.delete(&sidecar).await?;
        self.delete(&media).await?;
        Ok(existed)
    }
}

impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier").field("location", &self.0.location).finish_non_exhaustive()
    }
}
