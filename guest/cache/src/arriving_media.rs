//! Media that is served while its body is arriving, and the number of requests that follow each body.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use media_cache_entry_files::{DigestHasher, KeyDigest};

use crate::bindings::exports::media_cache::cache::cache::StoreError;
use crate::cached_media::CachedMedia;
use crate::single_flight::Leader;

/// Media whose body is arriving, by entry.
#[derive(Default)]
pub(crate) struct ArrivingMedia(RefCell<HashMap<KeyDigest, Followed, BuildHasherDefault<DigestHasher>>>);

struct Followed {
    media: CachedMedia,
    /// The number of requests that follow the body, not counting the leader of the fill.
    followers: u32,
    /// The cache key.
    url: String,
    fill: ArrivingFill,
}

/// The leader role for work on an entry.
type DigestLeader<T> = Leader<KeyDigest, T, BuildHasherDefault<DigestHasher>>;

/// The leader roles for filling an entry while its body is arriving.
pub(crate) struct Leaders {
    pub fill: DigestLeader<CachedMedia>,
    /// Ends with the reason why the media was not stored.
    pub settling: Option<DigestLeader<Option<StoreError>>>,
}

/// A fill whose body is arriving. If the entry is removed in the meantime, the media must not be stored, and another request may fill the
/// entry.
#[derive(Clone)]
pub(crate) struct ArrivingFill(Rc<FillState>);

struct FillState {
    is_removed: Cell<bool>,
    leaders: RefCell<Option<Leaders>>,
}

impl ArrivingFill {
    /// Whether the entry was removed.
    pub fn is_removed(&self) -> bool {
        self.0.is_removed.get()
    }

    /// Takes the leader roles, so that a removal no longer ends them. `None` if a removal has ended them.
    pub fn take_leaders(&self) -> Option<Leaders> {
        self.0.leaders.borrow_mut().take()
    }
}

impl ArrivingMedia {
    /// Adds media that `followers` requests already follow.
    pub fn insert(&self, digest: KeyDigest, url: &str, media: CachedMedia, followers: u32, leaders: Leaders) -> ArrivingFill {
        let state = FillState { is_removed: Cell::new(false), leaders: RefCell::new(Some(leaders)) };
        let fill = ArrivingFill(Rc::new(state));
        self.0.borrow_mut().insert(digest, Followed { media, followers, url: url.into(), fill: fill.clone() });
        fill
    }

    /// Records that an entry was removed. Returns whether its body was arriving. If so, no further request can follow the body.
    pub fn note_removed(&self, digest: &KeyDigest) -> bool {
        let removed = self.0.borrow_mut().remove(digest);
        removed.is_some_and(|Followed { fill, .. }| {
            drop(fill.take_leaders());
            !fill.0.is_removed.replace(true)
        })
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
    pub fn end(&self, digest: &KeyDigest, fill: &ArrivingFill) {
        let mut arriving = self.0.borrow_mut();
        let is_this = arriving.get(digest).is_some_and(|followed| Rc::ptr_eq(&followed.fill.0, &fill.0));
        let ended = if is_this { arriving.remove(digest) } else { None };
        drop(arriving);
        drop(ended);
    }
}
