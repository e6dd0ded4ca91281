//! What the parts of a tier share.

use std::sync::{Arc, Mutex};

use media_cache::MediaCache;
use media_cache_entry_files::KeyDigest;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::changes::Changes;
use crate::counters::Counters;
use crate::failure::StoreFailure;
use crate::location::Location;
use crate::options::TierOptions;
use crate::store::Store;
use crate::store_clock::StoreClock;
use crate::used::Usage;

/// What the parts of a tier share.
pub(crate) struct Shared {
    pub location: Location,
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
    pub usage: Arc<Usage>,
}

impl Shared {
    pub fn new(location: Location, store: Store, options: TierOptions) -> Self {
        Self {
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
        }
    }

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
