//! Media that is served while its body is arriving, and the requests that follow it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use media_cache_entry_files::{DigestHasher, KeyDigest};

use crate::cached_media::CachedMedia;

/// Media whose body is arriving, by entry.
#[derive(Default)]
pub(crate) struct ArrivingMedia(RefCell<HashMap<KeyDigest, Followed, BuildHasherDefault<DigestHasher>>>);

struct Followed {
    media: CachedMedia,
    /// The requests that follow the body, besides the one that leads the fill.
    followers: u32,
}

impl ArrivingMedia {
    /// Adds media that so many requests follow already.
    pub fn insert(&self, digest: KeyDigest, media: CachedMedia, followers: u32) {
        self.0.borrow_mut().insert(digest, Followed { media, followers });
    }

    /// The media of an entry for another request.
    pub fn follow(&self, digest: &KeyDigest) -> Option<CachedMedia> {
        let mut arriving = self.0.borrow_mut();
        let followed = arriving.get_mut(digest)?;
        followed.followers = followed.followers.saturating_add(1);
        Some(followed.media.share())
    }

    /// The requests that follow the media of an entry, besides the one that leads the fill.
    pub fn followers(&self, digest: &KeyDigest) -> u32 {
        self.0.borrow().get(digest).map_or(0, |followed| followed.followers)
    }

    /// Removes media that has arrived, or never will.
    pub fn remove(&self, digest: &KeyDigest) {
        let ended = self.0.borrow_mut().remove(digest);
        drop(ended);
    }
}
