//! Media that is served while its body is arriving, and the number of requests that follow each body.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use media_cache_entry_files::{DigestHasher, KeyDigest};

use crate::cached_media::CachedMedia;

/// Media whose body is arriving, by entry.
#[derive(Default)]
pub(crate) struct ArrivingMedia(RefCell<HashMap<KeyDigest, Followed, BuildHasherDefault<DigestHasher>>>);

struct Followed {
    media: CachedMedia,
    /// The number of requests that follow the body, not counting the leader of the fill.
    followers: u32,
    /// The cache key.
    url: String,
    removal: Removal,
}

/// Whether an entry was removed while its body was arriving. If so, it must not be stored.
#[derive(Clone, Default)]
pub(crate) struct Removal(Rc<Cell<bool>>);

impl Removal {
    /// Whether the entry was removed.
    pub fn has_happened(&self) -> bool {
        self.0.get()
    }
}

impl ArrivingMedia {
    /// Adds media that `followers` requests already follow.
    pub fn insert(&self, digest: KeyDigest, url: &str, media: CachedMedia, followers: u32) -> Removal {
        let removal = Removal::default();
        self.0.borrow_mut().insert(digest, Followed { media, followers, url: url.into(), removal: removal.clone() });
        removal
    }

    /// Records that an entry was removed. Returns whether its body was arriving. If so, no further request can follow the body.
    pub fn note_removed(&self, digest: &KeyDigest) -> bool {
        let removed = self.0.borrow_mut().remove(digest);
        removed.is_some_and(|followed| !followed.removal.0.replace(true))
    }

    /// The digests of entries whose bodies are arriving and whose cache keys match.
    pub fn matching(&self, matches: impl Fn(&str) -> bool) -> Vec<KeyDigest> {
        self.0.borrow().iter().filter(|(_, followed)| matches(&followed.url)).map(|(digest, _)| *digest).collect()
    }

    /// Returns the arriving media of an entry for another request, which then follows it.
    pub fn follow(&self, digest: &KeyDigest) -> Option<CachedMedia> {
        let mut arriving = self.0.borrow_mut();
        let followed = arriving.get_mut(digest)?;
        followed.followers = followed.followers.saturating_add(1);
        Some(followed.media.share())
    }

    /// The number of requests that follow the media of an entry, not counting the leader of the fill.
    pub fn followers(&self, digest: &KeyDigest) -> u32 {
        self.0.borrow().get(digest).map_or(0, |followed| followed.followers)
    }

    /// Removes media that has arrived or has failed to arrive, unless the entry was removed and another request has since begun to fetch it
    /// again.
    pub fn end(&self, digest: &KeyDigest, removal: &Removal) {
        let mut arriving = self.0.borrow_mut();
        let is_this = arriving.get(digest).is_some_and(|followed| Rc::ptr_eq(&followed.removal.0, &removal.0));
        let ended = if is_this { arriving.remove(digest) } else { None };
        drop(arriving);
        drop(ended);
    }
}
