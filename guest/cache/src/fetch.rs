//! Getting what is not there: one download at a time for a URL, GIFs made films, and everybody who waits served from it.

use std::hash::BuildHasherDefault;

use crate::bindings::exports::media_cache::cache::cache::{Media, PutOutcome, Source, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::downloader::{self, Download, FetchError};
use crate::bindings::media_cache::cache::transcoder;
use crate::cache::Cache;
use crate::clock;
use crate::digest::{DigestHasher, Key, check_url};
use crate::failure_ttl::told_again;
use crate::fetched_media::Brought;
use crate::lookup_key::Asked;
use crate::single_flight::{Lead, Part};
use crate::transcode::{FILM, film_name, is_gif};

/// The duty to bring what an entry is to have.
type Arrival<'a> = Lead<'a, Key, Brought, BuildHasherDefault<DigestHasher>>;

impl Cache {
    /// See the WIT.
    pub async fn get_or_download(&self, url: String) -> Result<Media, FetchError> {
        check_url(&url).map_err(FetchError::InvalidUrl)?;
        // Without its directory the cache is empty, and the network still answers.
        let _ = self.ensure_loaded().await;
        let asked = self.asked(&url);
        let mut counted = false;
        loop {
            if let Some(media) = self.hit(&asked.entry).await {
                return Ok(media);
            }
            // A request is one miss, also where it looks again because a download that it waited for was given up.
            let first_miss = u64::from(!std::mem::replace(&mut counted, true));
            let part = self.downloads.join(&asked.itself());
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
            let result = self.bring(&asked).await;
            lead.finish(|| result.as_ref().map(Brought::share).map_err(Clone::clone));
            return result.map(|brought| self.hand_out(brought));
        }
    }

    /// See the WIT.
    pub async fn put(&self, url: String, body: Blob, mimetype: String, filename: String) -> Result<PutOutcome, StoreError> {
        check_url(&url).map_err(StoreError::InvalidUrl)?;
        let _ = self.ensure_loaded().await;
        let asked = self.asked(&url);
        let arrival = match self.find_or_arrive(&asked.entry).await {
            Ok(arrival) => arrival,
            Err((brought, source)) => {
                let state = &mut *self.state.borrow_mut();
                if let Some(ticket) = brought.ticket {
                    state.touch(ticket, source);
                }
                return Ok(PutOutcome { media: brought.into_media(source, state), known: true, not_stored: None });
            }
        };
        let brought = self.take_in(&asked, arrival, Download { body, mimetype, filename }).await;
        let not_stored = brought.not_stored.clone();
        Ok(PutOutcome { media: self.hand_out(brought), known: false, not_stored })
    }

    /// Downloads what is not there, unless that failed just now, or the same entry comes already.
    async fn bring(&self, asked: &Asked<'_>) -> Result<Brought, FetchError> {
        self.recall(asked)?;
        let arrival = match self.arrivals.join(&asked.entry) {
            Part::Lead(arrival) => Some(arrival),
            Part::Follow(result) => {
                self.state.borrow_mut().counters.joined += 1;
                match result.await {
                    Ok(brought) => return Ok(brought),
                    // Another URL of the entry failed, which says nothing of this one. All who waited for it go on side by side, so
                    // that those who ask wrongly do not hold up those who do not.
                    Err(_) => None,
                }
            }
        };
        let download = self.download(asked).await?;
        let arrival = match arrival {
            Some(arrival) => arrival,
            None => match self.find_or_arrive(&asked.entry).await {
                Ok(arrival) => arrival,
                Err((brought, _)) => return Ok(brought),
            },
        };
        Ok(self.take_in(asked, arrival, download).await)
    }

    /// What is stored, or the duty to bring it.
    async fn find_or_arrive(&self, entry: &Key) -> Result<Arrival<'_>, (Brought, Source)> {
        loop {
            if let Some(found) = self.find(entry).await {
                return Err(found);
            }
            match self.arrivals.join(entry) {
                Part::Lead(arrival) => return Ok(arrival),
                // Whatever comes of it: look again.
                Part::Follow(result) => drop(result.await),
            }
        }
    }

    /// An error if a download of the URL failed just now.
    fn recall(&self, asked: &Asked<'_>) -> Result<(), FetchError> {
        let state = &mut *self.state.borrow_mut();
        match state.failures.recall(&asked.itself(), clock::ticks()) {
            Some((failure, left)) => {
                state.counters.remembered_failures += 1;
                Err(told_again(failure, left))
            }
            None => Ok(()),
        }
    }

    async fn download(&self, asked: &Asked<'_>) -> Result<Download, FetchError> {
        let result = downloader::fetch(asked.url.into()).await;
        let state = &mut *self.state.borrow_mut();
        match result {
            Ok(download) => {
                state.counters.downloads += 1;
                Ok(download)
            }
            Err(failure) => {
                state.counters.download_failures += 1;
                let failure = self.settings.failure_times.within_bounds(failure);
                let time = u64::from(self.settings.failure_times.of(&failure)) * 1_000_000;
                state.failures.remember(asked.itself(), failure.clone(), clock::ticks(), time);
                Err(failure)
            }
        }
    }

    /// Makes a film of a GIF, stores what there is, and hands it to all who wait for the entry.
    async fn take_in(&self, asked: &Asked<'_>, arrival: Arrival<'_>, download: Download) -> Brought {
        let mut brought = Brought::fresh(self.as_film(download).await, clock::now());
        match self.store(&asked.entry_url, asked.entry, &brought).await {
            Ok(ticket) => brought.ticket = Some(ticket),
            Err(error) => {
                self.count_not_stored(&error);
                brought.not_stored = Some(error);
            }
        }
        arrival.finish(|| brought.share());
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
