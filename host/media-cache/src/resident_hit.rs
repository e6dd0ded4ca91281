//! Hits on resident and open entries that are decided upon before they count.

use std::borrow::Cow;

use crate::cache::MediaCache;
use crate::media::{Media, Source};
use crate::resident_index::ResidentHandle;

/// A resident or open entry that a request may be answered with. It is a hit once it is [counted](Self::count).
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
        if let (Source::Disk, Some(residents)) = (self.media.source, &self.cache.0.residents) {
            residents.count_file_hit(&self.key);
        }
        self.cache.0.hits.add(&self.key, self.handle, self.media.source);
        self.media
    }
}

impl MediaCache {
    /// What is stored for `url`, if it is in memory or in an open file that nobody has changed, without a call of the component.
    #[must_use]
    pub fn resident_hit<'a>(&'a self, url: &'a str) -> Option<ResidentHit<'a>> {
        self.peek(self.key(url)).filter(|hit| hit.media.body.is_unchanged())
    }

    /// What is resident or open under a cache key.
    pub(crate) fn peek<'a>(&'a self, key: Cow<'a, str>) -> Option<ResidentHit<'a>> {
        let (media, handle) = self.0.residents.as_ref()?.get(&key)?;
        // A file may be on the disk that hangs.
        let is_usable = media.body.in_memory().is_some() || self.0.availability.outage().is_none();
        (is_usable && !self.is_closed()).then_some(ResidentHit { cache: self, key, media, handle })
    }
}
