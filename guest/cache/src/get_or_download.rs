//! Serves stored entries and fetches missing ones. Concurrent requests for a URL are coalesced into one fetch.

use std::rc::Rc;

use crate::bindings::exports::media_cache::cache::cache::{Media, Source};
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::download::Download;
use crate::lookup_key::LookupKey;
use crate::single_flight::Role;

/// Whether a remembered failure of a URL replaces a fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RememberedFailure {
    Applies,
    Ignored,
}

impl Cache {
    /// Implements `get-or-download`, which the WIT documents.
    pub async fn get_or_download(self: &Rc<Self>, url: &str, context: Option<u64>) -> Result<Media, FetchError> {
        let key = self.parse_key(url).map_err(FetchError::InvalidUrl)?;
        // If the directory cannot be opened, the cache counts as empty, but media can still be fetched.
        let _ = self.ensure_open().await;
        let (mut counted, mut counted_coalesced) = (false, false);
        let mut count_coalesced = || {
            if !std::mem::replace(&mut counted_coalesced, true) {
                self.state.borrow_mut().counters.coalesced += 1;
            }
        };
        loop {
            if let Some(media) = self.hit(&key.digest).await {
                return Ok(media);
            }
            // A request counts as one miss, even if it tries again because its leader stopped without a result.
            let first_miss = u64::from(!std::mem::replace(&mut counted, true));
            let role = self.downloads.join(&key.request_digest());
            self.state.borrow_mut().counters.misses += first_miss;
            let result = match role {
                Role::Leader(leader) => {
                    let result = self.fill(&key, context, RememberedFailure::Applies, &mut count_coalesced).await;
                    leader.finish(|| result.as_ref().map(CachedMedia::share).map_err(Clone::clone));
                    result
                }
                Role::Follower(result) => {
                    count_coalesced();
                    match result.await {
                        Ok(result) => result,
                        Err(_) => continue,
                    }
                }
            };
            return result.map(|media| media.into_media(Source::Origin, &self.state.borrow()));
        }
    }

    /// Fetches and stores an entry, unless it is already being filled; then `coalesced` is called. If the body is still arriving, the entry
    /// is stored later. A remembered failure replaces only the fetch: it says nothing about media that others fetch or put.
    pub(crate) async fn fill(
        self: &Rc<Self>,
        key: &LookupKey<'_>,
        context: Option<u64>,
        remembered: RememberedFailure,
        coalesced: impl FnOnce(),
    ) -> Result<CachedMedia, FetchError> {
        if let Some(media) = self.arriving.follow(&key.digest) {
            coalesced();
            return Ok(media);
        }
        let fill = match self.fills.join(&key.digest) {
            Role::Leader(fill) => Some(fill),
            Role::Follower(result) => {
                coalesced();
                match result.await {
                    Ok(media) => return Ok(media),
                    // The fetch of another URL of the entry failed, which says nothing about this URL. All requests that waited for that
                    // fetch proceed concurrently, so that requests for invalid URLs do not delay the others.
                    Err(_) => None,
                }
            }
        };
        if remembered == RememberedFailure::Applies {
            self.recall_failure(key)?;
        }
        let refreshes = remembered == RememberedFailure::Ignored;
        let download = self.download(key, context, refreshes).await?;
        let fill = match fill {
            Some(fill) => fill,
            // A complete body is not abandoned in favour of one that can still fail.
            None => match self.lead_or_follow(&key.digest, matches!(download, Download::Arriving(..))).await {
                Ok(fill) => fill,
                // The end of a download that is still arriving is not awaited, and not counted.
                Err(filled) => return Ok(filled),
            },
        };
        Ok(match download {
            Download::Complete(media, cost) => self.admit(key, fill, media, cost).await,
            Download::Arriving(media, began) => self.fill_later(key, fill, media, began),
        })
    }
}
