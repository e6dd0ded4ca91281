//! A tier, as a node uses it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures::future::BoxFuture;
use media_cache::policy::RequestObserver;
use media_cache::{Copies, MediaCache};
use media_cache_entry_files::KeyDigest;
use tokio::time::timeout;

use crate::failure::StoreFailure;
use crate::location::{Location, LocationError};
use crate::options::TierOptions;
use crate::shared::Shared;
use crate::status::{Direction, TierStatus};
use crate::store::Store;
use crate::uploads;

/// A tier, as a node uses it. Clones share the connection, the queue and the counters.
#[derive(Clone)]
pub struct Tier(Arc<Shared>);

impl Tier {
    /// A tier at this location. Credentials and further options for the store come from the environment. Nothing is requested from the store
    /// yet.
    ///
    /// # Errors
    /// If the directory does not exist, or the options in the environment are incomplete or invalid.
    pub fn open(location: Location, options: TierOptions) -> Result<Self, LocationError> {
        let store = Store::open(&location, options.timeout)?;
        Ok(Self(Arc::new(Shared::new(location, store, options))))
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
    /// used, until [`finish`](Self::finish) is called. Until then, a task also logs whether the store can be read, and tries it again while
    /// it fails.
    pub fn follow(&self, cache: MediaCache) {
        self.0.cache.send_replace(Some(cache));
        let tier = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tier.keep_listing_used() => {}
                () = tier.keep_probing() => {}
                () = tier.closing() => {}
            }
        });
    }

    /// Contacts the store: reads from it, and writes a small object that has no other effect.
    pub async fn contact(&self) -> Contact {
        let store = &self.0.store;
        Contact { reading: store.probe_reading().await, writing: store.probe_writing().await }
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
        if timeout(limit, self.0.list_all_used()).await.is_err() {
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

/// Whether a store can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whether it can be read.
    pub reading: Result<(), StoreFailure>,
    /// Whether it can be written to.
    pub writing: Result<(), StoreFailure>,
}

impl Copies for Tier {
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let removed = self.remove(KeyDigest::of(key)).await;
            removed.map_err(|failure| format!("its copy in the second tier {} may still exist: {failure}", self.location()))
        })
    }
}

impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier").field("location", &self.0.location).finish_non_exhaustive()
    }
}
