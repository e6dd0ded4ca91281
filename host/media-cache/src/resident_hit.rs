//! Hits on resident and open entries that the caller can inspect before they count.

use std::borrow::Cow;

use crate::hit_buffer::HitBuffer;
use crate::media::{Media, Source};
use crate::resident_index::{ResidentHandle, ResidentIndex};

/// A resident or open entry with which a request can be answered. It counts as a hit once [`count`](Self::count) is called.
pub struct ResidentHit<'a> {
    key: Cow<'a, str>,
    media: Media,
    handle: ResidentHandle,
    residents: &'a ResidentIndex,
    hits: &'a HitBuffer,
}

impl<'a> ResidentHit<'a> {
    /// What is resident under a cache key, or open if files may be read. Those who `can_ask` the component get nothing when they should.
    pub(crate) fn of(
        key: Cow<'a, str>,
        residents: &'a ResidentIndex,
        hits: &'a HitBuffer,
        may_read: bool,
        can_ask: bool,
    ) -> Option<Self> {
        let (media, handle) = residents.get(&key, can_ask)?;
        let is_usable =
            media.body.in_memory().is_some() || (may_read && (media.source == Source::Memory || media.body.is_unchanged()));
        if !is_usable {
            return None;
        }
        Some(Self { key, media, handle, residents, hits })
    }

    /// The media.
    #[must_use]
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Counts the hit and returns the media.
    #[must_use]
    pub fn count(self) -> Media {
        if self.media.source == Source::Disk {
            self.residents.count_file_hit(&self.key);
        }
        self.hits.add(&self.key, self.handle, self.media.source);
        self.media
    }
}
