//! Looks up media in the store.
//!
//! Media is returned only after all of it has arrived with the digest in its sidecar, so wrong bytes are never passed on.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use media_cache::{Blob, CacheControl, Cacheability, FetchError, FetchedMedia, Spool, SpooledBody, Validators};
use media_cache_entry_files::{KeyDigest, LARGEST_SIDECAR, Sidecar};
use tokio::time::{Instant, timeout};

use crate::failure::StoreFailure;
use crate::shared::Shared;
use crate::spans;
use crate::status::LookupOutcome;
use crate::store::{Store, seconds_between};

/// Media up to this size is kept in memory while it arrives, in bytes.
const MAX_MEMORY: u64 = 256 * 1024;

/// What is in the store for an entry.
pub(crate) enum Found {
    /// A complete entry.
    Entry(Sidecar, Blob),
    Nothing,
    /// Objects that are no valid entry, with the reason.
    Damaged(String),
    /// This node does not use it.
    Refused,
    /// There is no space here to receive it.
    NoSpace(String),
}

/// Checks whether an entry may be used, by its sidecar.
pub(crate) type Check<'a> = &'a (dyn Fn(&Sidecar) -> bool + Sync);

impl Shared {
    /// The media in the store for the entry with this digest. `check` decides by its type and length, in bytes, whether it may be used.
    pub async fn lookup(
        &self,
        digest: KeyDigest,
        spool: &Arc<Spool>,
        check: impl Fn(&str, u64) -> Result<(), FetchError> + Sync,
    ) -> Option<FetchedMedia> {
        let outcome = |outcome: LookupOutcome| {
            self.counters.lookup(outcome);
            spans::record_outcome(outcome.name());
            None
        };
        let Ok(Ok(_turn)) = timeout(self.options.timeout, self.lookups.acquire()).await else {
            return outcome(LookupOutcome::Busy);
        };
        let Ok(permit) = self.store.reads.permit() else { return outcome(LookupOutcome::Paused) };
        let (begun, use_of_entry) = (Instant::now(), self.changes.begin(digest));
        let check = |sidecar: &Sidecar| {
            let metadata = &sidecar.metadata;
            !metadata.is_private() && check(&metadata.mimetype, sidecar.size).is_ok()
        };
        let found = tokio::select! {
            found = self.store.entry(digest, spool, &check) => permit.report(found),
            () = self.closing() => return outcome(LookupOutcome::Paused),
        };
        self.counters.lookup_time.observe(begun.elapsed());
        let (outcome, media) = match found {
            // The version that was received has been removed or replaced in the meantime.
            Ok(Found::Entry(..)) if !use_of_entry.is_current() => (LookupOutcome::Miss, None),
            Ok(Found::Entry(sidecar, body)) => (LookupOutcome::Hit, Some(media(&sidecar, body))),
            Ok(Found::Nothing) => (LookupOutcome::Miss, None),
            Ok(Found::Refused) => (LookupOutcome::Refused, None),
            Ok(Found::Damaged(why)) => {
                tracing::warn!("{digest} in the second tier is damaged, so its media comes from the origin: {why}");
                (LookupOutcome::Damaged, None)
            }
            Ok(Found::NoSpace(why)) => {
                tracing::warn!("{digest} cannot be received from the second tier: {why}");
                (LookupOutcome::Failed, None)
            }
            Err(failure) => {
                tracing::debug!("cannot look up {digest} in the second tier: {failure}");
                (LookupOutcome::Failed, None)
            }
        };
        self.counters.lookup(outcome);
        spans::record_outcome(outcome.name());
        if let Some(media) = &media {
            spans::record_size(media.body.len());
            self.counters.received_bytes.fetch_add(media.body.len(), Relaxed);
        }
        media
    }
}

impl Store {
    /// Receives and checks the entry with this digest.
    pub async fn entry(&self, digest: KeyDigest, spool: &Arc<Spool>, check: Check<'_>) -> Result<Found, StoreFailure> {
        let sidecar = match self.sidecar(digest).await? {
            Ok(Some(sidecar)) => sidecar,
            Ok(None) => return Ok(Found::Nothing),
            Err(why) => return Ok(Found::Damaged(why)),
        };
        if !check(&sidecar) {
            return Ok(Found::Refused);
        }
        let Some(expected) = sidecar.body_digest else { return Ok(Found::Damaged("its sidecar has no digest".into())) };
        let mut object = match self.object(&self.names.media(digest), sidecar.size).await {
            Ok(object) => object,
            Err(StoreFailure::NotFound) => return Ok(Found::Damaged("its body is missing".into())),
            Err(StoreFailure::Unexpected(why)) => return Ok(Found::Damaged(why)),
            Err(failure) => return Err(failure),
        };
        if object.meta.size != sidecar.size {
            return Ok(Found::Damaged(format!("its body has {} bytes instead of {}", object.meta.size, sidecar.size)));
        }
        let mut body = SpooledBody::new(MAX_MEMORY, spool.clone(), Some(sidecar.size));
        while let Some(chunk) = object.chunk().await? {
            if body.received_bytes() + chunk.len() as u64 > sidecar.size {
                return Ok(Found::Damaged("its body is too long".into()));
            }
            if let Err(error) = body.append(chunk).await {
                return Ok(Found::NoSpace(error.to_string()));
            }
        }
        if body.received_bytes() != sidecar.size {
            return Err(StoreFailure::Failed(format!("a body ended after {} of {} bytes", body.received_bytes(), sidecar.size)));
        }
        Ok(match body.finish().await {
            Ok(body) if body.known_digest() == Some(expected) => Found::Entry(sidecar, body),
            Ok(_) => Found::Damaged("its body does not have the digest in its sidecar".into()),
            Err(error) => Found::NoSpace(error.to_string()),
        })
    }

    /// The sidecar of an entry, if there is one. The inner error says why it is damaged.
    pub async fn sidecar(&self, digest: KeyDigest) -> Result<Result<Option<Sidecar>, String>, StoreFailure> {
        let json = match self.read(&self.names.sidecar(digest), LARGEST_SIDECAR).await {
            Ok((json, _)) => json,
            Err(StoreFailure::NotFound) => return Ok(Ok(None)),
            Err(StoreFailure::Unexpected(why)) => return Ok(Err(why)),
            Err(failure) => return Err(failure),
        };
        Ok(match Sidecar::from_json(&json) {
            None => Err("its sidecar is invalid".into()),
            Some(sidecar) if KeyDigest::of(&sidecar.url) != digest => Err("its sidecar belongs to another URL".into()),
            Some(sidecar) => Ok(Some(sidecar)),
        })
    }
}

/// The media of an entry, as if its origin had sent it, but marked as a copy.
pub(crate) fn media(sidecar: &Sidecar, body: Blob) -> FetchedMedia {
    let metadata = &sidecar.metadata;
    let stored_at = SystemTime::UNIX_EPOCH + Duration::from_millis(metadata.stored_at);
    let since = seconds_between(stored_at, SystemTime::now()).max(0.0) as u32;
    FetchedMedia {
        cache_control: CacheControl {
            cacheability: Cacheability::Public,
            max_age: metadata.max_age,
            age: metadata.age.saturating_add(since),
        },
        validators: Validators { etag: metadata.etag.clone(), last_modified: metadata.last_modified.clone() },
        ..FetchedMedia::new(body.as_copy(), metadata.mimetype.clone(), metadata.filename.clone())
    }
}
