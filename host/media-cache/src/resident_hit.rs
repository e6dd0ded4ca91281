//! Hits on resident and open entries that the caller can inspect before they count.

use std::borrow::Cow;
use std::sync::Arc;

use crate::hit_buffer::HitBuffer;
use crate::media::{Media, Source};
use crate::resident_index::{Resident, ResidentHandle, ResidentIndex};

/// A resident or open entry with which a request can be answered. It counts as a hit once [`count`](Self::count) is called.
pub struct ResidentHit<'a> {
    key: Cow<'a, str>,
    media: Media,
    handle: ResidentHandle,
    resident: Arc<Resident>,
    hits: &'a HitBuffer,
}

impl<'a> ResidentHit<'a> {
    /// Looks up the entry that is resident under a cache key, or open if files may be read.
    pub(crate) fn of(key: Cow<'a, str>, residents: &'a ResidentIndex, hits: &'a HitBuffer, may_read: bool) -> Option<Self> {
        let (media, handle, resident) = residents.get(&key)?;
        let is_usable = match media.source {
            Source::Memory => may_read || media.body.in_memory().is_some(),
            _ => may_read && media.body.is_unchanged() && residents.has_current_sidecar(&key, &resident),
        };
        is_usable.then_some(Self { key, media, handle, resident, hits })
    }

    /// The media.
    #[must_use]
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Counts the hit and returns the media.
    #[must_use]
    pub fn count(self) -> Media {
        let Self { key, media, handle, resident, hits } = self;
        hits.add(&key, handle, media.source);
        if media.source == Source::Disk && resident.count_file_hit() {
            hits.offer(&key, handle);
        }
        media
    }
}
