//! Fills whose media is served while its body is arriving. A separate task completes such a fill after the call that started it has
//! returned.

use std::pin::pin;
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::{Either, select};
use media_cache_entry_files::Metadata;

use crate::arriving_media::{ArrivingFill, Leaders};
use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::bindings::media_cache::cache::failures::FetchError;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::download::cost_since;
use crate::fill::FillLeader;
use crate::lookup_key::LookupKey;

impl Cache {
    /// Serves media whose body is arriving, and completes the fill once it has arrived. The download began at the tick `began`.
    pub(crate) fn fill_later(
        self: &Rc<Self>,
        key: &LookupKey<'_>,
        fill: FillLeader,
        fetched: FetchedMedia,
        began: u64,
    ) -> CachedMedia {
        let media = CachedMedia::fetched(fetched, cost_since(began), clock::now());
        let waiters = self.waiters(key);
        // This cannot fail: only the leader of the fill takes this role.
        let settling = self.settling.lead(&key.digest).ok();
        fill.announce(|| media.share());
        let ended = fill.watch();
        let fill = self.arriving.insert(key.digest, &key.cache_key, media.share(), waiters, Leaders { fill, settling });
        let (cache, url, arriving) = (Rc::clone(self), key.request_key.to_owned(), media.share());
        wit_bindgen::spawn_local(async move { cache.complete_fill(&url, arriving, began, (&fill, ended)).await });
        media
    }

    /// Waits for the body and stores the media, unless the download fails or the entry is removed in the meantime. Only a removal ends the
    /// fill before that. The download then continues only for those who still read the body, and is not counted.
    async fn complete_fill(
        &self,
        url: &str,
        arriving: CachedMedia,
        began: u64,
        (fill, ended): (&ArrivingFill, oneshot::Receiver<()>),
    ) {
        let key = self.lookup_key(url);
        let Either::Left((finished, _)) = select(pin!(arriving.body.finished()), ended).await else { return };
        let Some(leaders) = fill.take_leaders() else { return };
        let filled = match self.end_download(&key, finished, arriving.body.size(), began) {
            Ok(cost) => Some(self.store_arrived(&key, arriving, cost, fill).await),
            Err(_) => None,
        };
        self.arriving.end(&key.digest, fill);
        let not_stored = filled.as_ref().and_then(|media| media.not_stored.clone());
        match filled {
            Some(media) if !fill.is_removed() => leaders.fill.finish(|| media.share()),
            // The current followers have to fetch the media themselves.
            _ => drop(leaders.fill),
        }
        if let Some(settling) = leaders.settling {
            settling.finish(|| not_stored.clone());
        }
    }

    /// Stores media whose body has arrived.
    async fn store_arrived(&self, key: &LookupKey<'_>, arriving: CachedMedia, cost: u32, fill: &ArrivingFill) -> CachedMedia {
        // The announced `stored_at` is kept, since clients have already received it as the time of the last change.
        let metadata = Metadata { cost, ..Metadata::clone(&arriving.metadata) };
        let mut media = CachedMedia { metadata: metadata.into(), ..arriving };
        self.store_filled(key, &mut media).await;
        if fill.is_removed() {
            let files = {
                let state = &mut *self.state.borrow_mut();
                state.index.find(&key.digest).and_then(|slot| state.take_entry(slot))
            };
            self.delete_evicted(files).await;
            (media.handle, media.not_stored) = (None, Some(StoreError::Refused));
        }
        media
    }

    /// Waits until it is clear whether the media of a fill is stored, and returns the media.
    pub(crate) async fn wait_until_settled(&self, key: &LookupKey<'_>, media: CachedMedia) -> Result<CachedMedia, FetchError> {
        if media.handle.is_some() || media.not_stored.is_some() {
            return Ok(media);
        }
        let settled = self.settling.follow(&key.digest);
        media.body.finished().await?;
        let not_stored = match settled {
            Some(settled) => settled.await.ok().flatten(),
            None => None,
        };
        if let Some((stored, _)) = self.find(&key.digest).await {
            return Ok(stored);
        }
        let unknown = || StoreError::Disk("another request fetched the media, but it was not stored".into());
        Ok(CachedMedia { not_stored: Some(not_stored.unwrap_or_else(unknown)), ..media })
    }

    /// Implements `settled`, which the WIT documents.
    pub async fn settled(&self, url: &str) -> Option<StoreError> {
        let digest = self.lookup_key(url).digest;
        let settled = self.settling.follow(&digest)?;
        settled.await.ok().flatten()
    }
}
