//! A downloader that looks in a tier first.

use std::sync::Arc;

use futures::future::BoxFuture;
use media_cache::{Cacheability, Downloader, FetchError, Fetched, FetchedMedia, KeyRules, Spool, Validators};
use media_cache_entry_files::{KeyDigest, stored_cacheability};
use tracing::Instrument;

use crate::lease::{Lease, Request, Waited};
use crate::shared::Shared;
use crate::spans;
use crate::tier::Tier;
use crate::uploads::Upload;

/// A downloader that looks in a tier before it calls another downloader. What the other one returns is uploaded once the cache has stored
/// it. Media that may be fetched only for a single user is neither looked up nor uploaded.
pub struct TieredDownloader<D: ?Sized> {
    tier: Arc<Shared>,
    keys: KeyRules,
    spool: Arc<Spool>,
    downloader: Arc<D>,
}

/// An entry that is looked up.
struct Entry {
    key: String,
    digest: KeyDigest,
}

impl Tier {
    /// A downloader that looks in this tier before it calls `downloader`. The key rules must be those of the cache. Large media arrives in
    /// `spool`.
    #[must_use]
    pub fn downloader<D: Downloader + ?Sized>(&self, downloader: Arc<D>, keys: KeyRules, spool: Arc<Spool>) -> TieredDownloader<D> {
        TieredDownloader { tier: self.shared().clone(), keys, spool, downloader }
    }
}

impl<D: Downloader + ?Sized> TieredDownloader<D> {
    async fn download(&self, url: &str) -> Result<FetchedMedia, FetchError> {
        let Some(entry) = self.shared_entry(url).filter(|_| self.downloader.check(url, None).is_ok()) else {
            return self.downloader.fetch(url).await;
        };
        if let Some(media) = self.lookup(url, &entry).await {
            return Ok(media);
        }
        let lease_bytes = self.tier.options.lease_bytes;
        let is_first = lease_bytes == Some(0) || (self.tier.options.lease_first)(url);
        let mut lease = None;
        if is_first {
            lease = match self.tier.request_lease(entry.digest).await {
                Request::Granted(lease) => Some(lease),
                Request::Failed => None,
                Request::Held => match self.wait(url, &entry).await {
                    Ok(media) => return Ok(media),
                    Err(lease) => lease,
                },
            };
        }
        let mut media = self.downloader.fetch(url).await?;
        if !is_first && lease_bytes.is_some_and(|lease_bytes| needs_lease(&media, lease_bytes)) {
            match self.tier.request_lease(entry.digest).await {
                Request::Granted(granted) => lease = Some(granted),
                Request::Failed => {}
                Request::Held => {
                    // This abandons the download.
                    drop(media);
                    match self.wait(url, &entry).await {
                        Ok(media) => return Ok(media),
                        Err(taken) => lease = taken,
                    }
                    media = self.downloader.fetch(url).await?;
                }
            }
        }
        self.upload(entry, &media, lease);
        Ok(media)
    }

    /// The entry of a URL, unless its media may only be fetched for a single user.
    fn shared_entry(&self, url: &str) -> Option<Entry> {
        let key = self.keys.key(url).into_owned();
        let is_shared = stored_cacheability(&key, false) == media_cache_entry_files::Cacheability::Public;
        is_shared.then(|| Entry { digest: KeyDigest::of(&key), key })
    }

    async fn lookup(&self, url: &str, entry: &Entry) -> Option<FetchedMedia> {
        let check = |mimetype: &str, bytes| self.downloader.check(url, Some((mimetype, bytes)));
        self.tier.lookup(entry.digest, &self.spool, check).instrument(spans::of_lookup(entry.digest)).await
    }

    /// Waits for another node, and returns its media, or the lease if this node has taken it over.
    async fn wait(&self, url: &str, entry: &Entry) -> Result<FetchedMedia, Option<Lease>> {
        match self.tier.wait_for_holder(entry.digest).await {
            Waited::Uploaded => self.lookup(url, entry).await.ok_or(None),
            Waited::Expired(lease) => Err(lease),
        }
    }

    fn upload(&self, entry: Entry, media: &FetchedMedia, lease: Option<Lease>) {
        if media.cache_control.cacheability == Cacheability::Public {
            let Entry { key, digest } = entry;
            self.tier.add_upload(Upload { key, digest, completion: media.body.completion(), lease });
        }
    }
}

/// Whether a lease is needed for media, from this size in bytes. It is not if all of it has already arrived.
fn needs_lease(media: &FetchedMedia, lease_bytes: u64) -> bool {
    media.body.is_arriving()
        && media.cache_control.cacheability == Cacheability::Public
        && media.body.expected_len().is_some_and(|length| length >= lease_bytes)
}

impl<D: Downloader + ?Sized> Downloader for TieredDownloader<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(self.download(url))
    }

    /// Asks the origin, since only it knows whether the media has changed. If it has, or must no longer be shared, no node should get the
    /// previous version from the store.
    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let fetched = self.downloader.fetch_if_changed(url, validators).await?;
            let Some(entry) = self.shared_entry(url) else { return Ok(fetched) };
            let is_kept = matches!(&fetched, Fetched::NotModified(control) if control.cacheability == Cacheability::Public);
            if !is_kept && let Err(failure) = self.tier.remove(entry.digest).await {
                tracing::warn!("cannot remove the previous version of {} from the second tier: {failure}", entry.digest);
            }
            if let Fetched::Media(media) = &fetched {
                self.upload(entry, media, None);
            }
            Ok(fetched)
        })
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.downloader.check(url, media)
    }
}
