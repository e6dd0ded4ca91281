//! Stores media that a caller provides.

use crate::bindings::exports::media_cache::cache::cache::{PutOutcome, Source, StoreError};
use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;

/// How long a put waits for the directory to be loaded, in nanoseconds.
const MAX_WAIT: u64 = 1_000_000_000;

/// How the media is prepared before it is stored.
enum Preparation {
    /// It is converted, if the transcoder accepts it.
    Convert,
    /// It is already prepared. `cost` is how long the fetch took, in milliseconds. `stored_at` is the time at which it was stored according
    /// to the response; `None` means the current time.
    None { cost: u32, stored_at: Option<u64> },
}

impl Cache {
    /// Implements `put`, which the WIT documents.
    pub async fn put(&self, url: &str, media: FetchedMedia) -> Result<PutOutcome, StoreError> {
        self.put_prepared(url, media, Preparation::Convert).await
    }

    /// Implements `admit`, which the WIT documents.
    pub async fn admit_from_predecessor(
        &self,
        url: &str,
        media: FetchedMedia,
        cost: u32,
        stored_at: Option<u64>,
    ) -> Result<PutOutcome, StoreError> {
        self.put_prepared(url, media, Preparation::None { cost, stored_at }).await
    }

    async fn put_prepared(&self, url: &str, media: FetchedMedia, preparation: Preparation) -> Result<PutOutcome, StoreError> {
        let key = self.parse_key(url).map_err(StoreError::InvalidUrl)?;
        // If the directory cannot be opened, the cache counts as empty and stores nothing.
        if self.ensure_open().await.is_ok() {
            self.wait_until_loaded(MAX_WAIT).await;
        }
        let fill = match self.find_or_lead(&key.digest).await {
            Ok(fill) => fill,
            Err((stored, source)) => {
                let state = &mut *self.state.borrow_mut();
                if let Some(handle) = stored.handle {
                    state.touch(handle, source, clock::now());
                }
                return Ok(PutOutcome { media: stored.into_media(source, state), known: true, not_stored: None });
            }
        };
        let media = match preparation {
            Preparation::Convert => self.admit(&key, fill, media, 0).await,
            Preparation::None { cost, stored_at } => {
                let stored_at = stored_at.unwrap_or_else(clock::now);
                self.admit_as_it_is(&key, fill, CachedMedia::fetched(media, cost, stored_at)).await
            }
        };
        let not_stored = media.not_stored.clone();
        Ok(PutOutcome { media: media.into_media(Source::Origin, &self.state.borrow()), known: false, not_stored })
    }
}
