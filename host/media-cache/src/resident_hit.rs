//! Hits on resident entries that are decided upon before they count.

use std::borrow::Cow;

use crate::cache::MediaCache;
use crate::media::Media;
use crate::resident_index::ResidentHandle;

/// A resident entry that a request may be answered with. It is a hit once it is [counted](Self::count).
pub struct ResidentHit<'a> {
    cache: &'a MediaCache,
    key: Cow<'a, str>,
    media: Media,
    handle: ResidentHandle,
}

impl ResidentHit<'_> {
    /// The media.
    #[must_use]
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Counts the hit, and returns the media.
    #[must_use]
    pub fn count(self) -> Media {
        self.cache.0.hits.add(&self.key, self.handle);
        self.media
    }
}

impl MediaCache {
    /// What is stored for `url`, if it is in memory, without waiting and without a call of the component.
    #[must_use]
    pub fn resident_hit<'a>(&'a self, url: &'a str) -> Option<ResidentHit<'a>> {
        self.peek(self.key(url)).filter(|hit| hit.media.body.in_memory().is_some())
    }

    /// What is resident under a cache key.
    pub(crate) fn peek<'a>(&'a self, key: Cow<'a, str>) -> Option<ResidentHit<'a>> {
        let (media, handle) = self.0.residents.as_ref()?.get(&key)?;
        (!self.is_closed()).then_some(ResidentHit { cache: self, key, media, handle })
    }
}
