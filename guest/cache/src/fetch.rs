//! Getting what is not there: one download at a time for a URL, GIFs made films, and everybody who waits served from it.

use crate::bindings::exports::media_cache::cache::cache::{Media, PutOutcome, Source, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::downloader::{self, Download, FetchError};
use crate::bindings::media_cache::cache::transcoder;
use crate::brought::Brought;
use crate::cache::Cache;
use crate::clock;
use crate::flights::Part;
use crate::gif::{FILM, film_name, is_gif};
use crate::key::{Key, check_url};

impl Cache {
    /// See the WIT.
    pub async fn get_or_download(&self, url: String) -> Result<Media, FetchError> {
        check_url(&url).map_err(FetchError::InvalidUrl)?;
        // Without its directory the cache is empty, and the network still answers.
        let _ = self.ensure_loaded().await;
        let key = Key::of(&url);
        let mut counted = false;
        loop {
            if let Some(media) = self.hit(&key).await {
                return Ok(media);
            }
            // A request is one miss, also where it looks again because a download that it waited for was given up.
            let first_miss = u64::from(!std::mem::replace(&mut counted, true));
            let part = self.fetches.join(&key);
            self.state.borrow_mut().counters.misses += first_miss;
            let lead = match part {
                Part::Lead(lead) => lead,
                Part::Follow(result) => {
                    self.state.borrow_mut().counters.joined += first_miss;
                    match result.await {
                        Ok(result) => return result.map(|brought| self.hand_out(brought)),
                        Err(_) => continue,
                    }
                }
            };
            let result = self.download(&url, key).await;
            lead.finish(|| result.as_ref().map(Brought::share).map_err(Clone::clone));
            return result.map(|brought| self.hand_out(brought));
        }
    }

    /// See the WIT.
    pub async fn put(&self, url: String, body: Blob, mimetype: String, filename: String) -> Result<PutOutcome, StoreError> {
        check_url(&url).map_err(StoreError::InvalidUrl)?;
        let _ = self.ensure_loaded().await;
        let key = Key::of(&url);
        let lead = loop {
            if let Some((brought, source)) = self.find(&key).await {
                let state = &mut *self.state.borrow_mut();
                if let Some(ticket) = brought.ticket {
                    state.touch(ticket, source);
                }
                return Ok(PutOutcome { media: brought.into_media(source, state), known: true, not_stored: None });
            }
            match self.fetches.join(&key) {
                Part::Lead(lead) => break lead,
                // Whatever comes of it: look again.
                Part::Follow(result) => drop(result.await),
            }
        };
        let brought = self.take_in(&url, key, Download { body, mimetype, filename }).await;
        lead.finish(|| Ok(brought.share()));
        let not_stored = brought.not_stored.clone();
        Ok(PutOutcome { media: self.hand_out(brought), known: false, not_stored })
    }

    async fn download(&self, url: &str, key: Key) -> Result<Brought, FetchError> {
        {
            let state = &mut *self.state.borrow_mut();
            if let Some(failure) = state.failures.recall(&key, clock::ticks()) {
                state.counters.remembered_failures += 1;
                return Err(failure);
            }
        }
        match downloader::fetch(url.into()).await {
            Ok(download) => {
                self.state.borrow_mut().counters.downloads += 1;
                Ok(self.take_in(url, key, download).await)
            }
            Err(failure) => {
                let state = &mut *self.state.borrow_mut();
                state.counters.download_failures += 1;
                state.failures.remember(key, failure.clone(), clock::ticks());
                Err(failure)
            }
        }
    }

    /// Makes a film of a GIF, and stores what there is.
    async fn take_in(&self, url: &str, key: Key, download: Download) -> Brought {
        let mut brought = Brought::fresh(self.as_film(download).await, clock::now());
        match self.store(url, key, &brought).await {
            Ok(ticket) => brought.ticket = Some(ticket),
            Err(error) => {
                self.count_not_stored(&error);
                brought.not_stored = Some(error);
            }
        }
        brought
    }

    /// A GIF as a film, if that can be had; anything else as it is.
    async fn as_film(&self, download: Download) -> Download {
        let head = download.body.head(6).unwrap_or_default();
        if !is_gif(&download.mimetype, &head) {
            return download;
        }
        let film = transcoder::gif_to_mp4(&download.body).await;
        let counters = &mut self.state.borrow_mut().counters;
        match film {
            Ok(body) => {
                counters.transcoded += 1;
                Download { body, mimetype: FILM.into(), filename: film_name(&download.filename) }
            }
            Err(_) => {
                counters.transcode_failures += 1;
                download
            }
        }
    }

    fn hand_out(&self, brought: Brought) -> Media {
        brought.into_media(Source::Origin, &self.state.borrow())
    }

    fn count_not_stored(&self, error: &StoreError) {
        let counters = &mut self.state.borrow_mut().counters;
        match error {
            StoreError::Refused => counters.refused += 1,
            StoreError::Oversize(_) => counters.oversize += 1,
            StoreError::Disk(_) | StoreError::InvalidUrl(_) => counters.store_failures += 1,
        }
    }
}
