//! Uploads what the cache has stored, in the background.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::{self, BoxStream};
use media_cache::{Completion, MediaCache};
use media_cache_entry_files::KeyDigest;
use media_cache_maintenance::{EntryDirectory, StoredEntry};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::changes::Use;
use crate::failure::StoreFailure;
use crate::lease::Lease;
use crate::shared::Shared;
use crate::spans;
use crate::status::UploadOutcome;
use crate::store::When;

/// The size of the parts in which a large body is sent, in bytes. S3 requires at least 5 MiB.
const PART: usize = 8 << 20;

/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Media that was downloaded, and may be stored and uploaded.
pub(crate) struct Upload {
    pub key: String,
    pub digest: KeyDigest,
    /// The end of its body, if it is still arriving.
    pub completion: Option<Completion>,
    /// Other nodes wait until this is dropped.
    pub lease: Option<Lease>,
}

impl Shared {
    /// Uploads the media once the cache has stored it, unless too much is waiting.
    pub fn add_upload(self: &Arc<Self>, upload: Upload) {
        let Ok(place) = self.queue.clone().try_acquire_owned() else {
            self.counters.upload(UploadOutcome::Dropped);
            self.log_dropped();
            return;
        };
        let span = spans::of_upload(upload.digest);
        tokio::spawn(self.clone().run_upload(upload, place).instrument(span));
    }

    async fn run_upload(self: Arc<Self>, mut upload: Upload, _place: OwnedSemaphorePermit) {
        let outcome = self.upload(&mut upload).await;
        self.counters.upload(outcome);
        spans::record_outcome(outcome.name());
        release(&mut upload).await;
    }

    async fn upload(&self, upload: &mut Upload) -> UploadOutcome {
        // From here on, a removal or a refresh of the entry is noticed.
        let use_of_entry = self.changes.begin(upload.digest);
        if let Some(completion) = upload.completion.take()
            && completion.wait().await.is_err()
        {
            return UploadOutcome::Skipped;
        }
        let Some(cache) = self.cache().await else { return UploadOutcome::Skipped };
        if cache.settled(&upload.key).await.is_err() {
            return UploadOutcome::Skipped;
        }
        let _writing = use_of_entry.write().await;
        // The semaphore is never closed.
        let _running = self.running.acquire().await;
        let deadline = Instant::now() + self.options.retry_time;
        let (mut pause, longest) = PAUSES;
        loop {
            let failure = match self.attempt(&cache, &use_of_entry, upload.digest).await {
                Ok(outcome) => return outcome,
                Err(failure) => failure,
            };
            // Others need not wait for an upload that may take minutes.
            release(upload).await;
            let wait = self.store.writes.pause_left().unwrap_or_default().max(pause.mul_f64(fastrand::f64() / 2.0 + 0.5));
            pause = (pause * 2).min(longest);
            let is_final = matches!(failure, StoreFailure::Unsupported(_) | StoreFailure::Unexpected(_));
            if is_final || Instant::now() + wait >= deadline || *self.closing.borrow() {
                // An outage is logged once, not for each entry.
                match self.store.writes.outage() {
                    Some(_) => tracing::debug!("cannot upload {} to the second tier: {failure}", upload.digest),
                    None => tracing::warn!("cannot upload {} to the second tier: {failure}", upload.digest),
                }
                return UploadOutcome::Failed;
            }
            let _ = timeout(wait, self.closing()).await;
        }
    }

    async fn attempt(&self, cache: &MediaCache, use_of_entry: &Use<'_>, digest: KeyDigest) -> Result<UploadOutcome, StoreFailure> {
        let mut permit = self.store.writes.permit()?;
        if permit.is_attempt() {
            // A small object shows sooner whether the store accepts any.
            permit.for_probe().report(self.store.clock_lead().await)?;
            permit = self.store.writes.permit()?;
        }
        let directory = cache.directory().to_owned();
        let read = move || EntryDirectory::existing(&directory).ok()?.entry(digest).ok()?;
        let entry = tokio::task::spawn_blocking(read).await.unwrap_or(None);
        let Some(entry) = entry.filter(|entry| !entry.sidecar.metadata.is_private()) else {
            return Ok(UploadOutcome::Skipped);
        };
        let size = entry.sidecar.size;
        let written = permit.report(self.write_entry(use_of_entry, digest, entry).await);
        if !use_of_entry.is_current() {
            // It was removed or replaced while it was being written. The upload of a replacement comes after this one.
            self.store.delete_entry(digest).await?;
            return Ok(UploadOutcome::Skipped);
        }
        written?;
        self.counters.sent_bytes.fetch_add(size, Relaxed);
        spans::record_size(size);
        Ok(UploadOutcome::Stored)
    }

    /// Writes the two objects of an entry. The sidecar comes last: an entry without one does not exist.
    async fn write_entry(&self, use_of_entry: &Use<'_>, digest: KeyDigest, entry: StoredEntry) -> Result<(), StoreFailure> {
        let StoredEntry { sidecar, json, body, digest: body_digest } = entry;
        let names = &self.store.names;
        let mut parts = parts(body);
        if sidecar.size <= PART as u64 {
            let bytes = parts.try_next().await?.unwrap_or_default();
            self.store.write(&names.media(digest), bytes, When::Always).await?;
        } else {
            self.store.write_parts(&names.media(digest), parts, self.closing()).await?;
        }
        if !use_of_entry.is_current() {
            return Ok(());
        }
        // A sidecar that another program wrote may have no digest, and without it nobody can check the body.
        let json = if sidecar.body_digest.is_some() { json } else { sidecar.with_body_digest(body_digest).to_json() };
        self.store.write(&names.sidecar(digest), json.into(), When::Always).await.map(drop)
    }

    /// The cache, as soon as there is one. `None` if there will be none.
    async fn cache(&self) -> Option<MediaCache> {
        let mut cache = self.cache.subscribe();
        tokio::select! {
            cache = cache.wait_for(Option::is_some) => cache.ok()?.clone(),
            () = self.closing() => None,
        }
    }

    /// Logs that uploads are dropped, at most once a minute.
    fn log_dropped(&self) {
        const INTERVAL: Duration = Duration::from_secs(60);
        let mut logged = self.logged_dropped.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.is_none_or(|logged| logged.elapsed() >= INTERVAL) {
            *logged = Some(Instant::now());
            let queue = self.options.max_queue;
            tracing::warn!(
                "{queue} entries wait to be uploaded to the second tier, so no more are added; they stay on this node only"
            );
        }
    }
}

/// Gives up the lease of an upload, if there is one.
async fn release(upload: &mut Upload) {
    if let Some(lease) = upload.lease.take() {
        lease.release().await;
    }
}

/// The parts of a body.
fn parts(body: File) -> BoxStream<'static, Result<Bytes, StoreFailure>> {
    let body = Arc::new(body);
    Box::pin(stream::try_unfold(body, |body| async {
        let file = body.clone();
        let read = move || {
            let mut part = Vec::new();
            (&*file).take(PART as u64).read_to_end(&mut part).map(|_| part)
        };
        let read = tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        // The store is not to blame, but there is nothing to upload either.
        let part = read.map_err(|error| StoreFailure::Unexpected(format!("cannot read the body: {error}")))?;
        Ok((!part.is_empty()).then(|| (part.into(), body)))
    }))
}

/// Waits until nothing waits to be uploaded, or `limit` has passed. Uploads that fail are not tried again from now on.
pub(crate) async fn finish(tier: &Shared, limit: Duration) {
    let all = u32::try_from(tier.options.max_queue).unwrap_or(u32::MAX);
    let drained = timeout(limit / 2, tier.queue.acquire_many(all)).await;
    tier.closing.send_replace(true);
    if drained.is_err() {
        let _ = timeout(limit / 2, tier.queue.acquire_many(all)).await;
    }
    let left = tier.options.max_queue - tier.queue.available_permits();
    if left > 0 && drained.is_err() {
        tracing::warn!(
            "{left} entries were not uploaded to the second tier before the service stopped; they stay on this node only"
        );
    }
}
