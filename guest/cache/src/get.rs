//! Serves what is stored.

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::{Media, Source};
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::index::Slot;
use crate::read_back::ReadBack;
use crate::single_flight::Role;

/// Where the bytes of an entry are.
enum Location {
    /// In the memory tier, or held by whoever replaces the files.
    Resident(CachedMedia),
    /// Only on disk.
    OnDisk(Slot),
    /// Nowhere: nothing is stored.
    Absent,
}

impl Cache {
    /// See the WIT.
    pub async fn get(&self, url: &str) -> Option<Media> {
        // Without its directory the cache is empty.
        let _ = self.ensure_loaded().await;
        let media = self.hit(&self.lookup_key(url).digest).await;
        if media.is_none() {
            self.state.borrow_mut().counters.misses += 1;
        }
        media
    }

    /// What is stored, counted as a hit.
    pub(crate) async fn hit(&self, digest: &KeyDigest) -> Option<Media> {
        let (media, source) = self.find(digest).await?;
        let state = &mut *self.state.borrow_mut();
        state.record_hit(media.handle, source, clock::now());
        Some(media.into_media(source, state))
    }

    /// What is stored, from memory or disk, without counting or moving anything.
    pub(crate) async fn find(&self, digest: &KeyDigest) -> Option<(CachedMedia, Source)> {
        loop {
            let slot = match self.locate(digest) {
                Location::Resident(media) => return Some((media, Source::Memory)),
                Location::Absent => return None,
                Location::OnDisk(slot) => slot,
            };
            // If the entry is dropped, the next round finds nothing, or what was stored meanwhile.
            match self.reads.join(digest) {
                Role::Leader(leader) => match self.read_back(slot).await {
                    ReadBack::Complete(media) => {
                        leader.finish(|| Some(media.share()));
                        return Some((media, Source::Disk));
                    }
                    ReadBack::Gone => leader.finish(|| None),
                    ReadBack::Unreadable => return None,
                },
                Role::Follower(result) => {
                    if let Ok(Some(media)) = result.await {
                        return Some((media, Source::Disk));
                    }
                }
            }
        }
    }

    fn locate(&self, digest: &KeyDigest) -> Location {
        let state = self.state.borrow();
        let Some(slot) = state.index.find(digest) else { return Location::Absent };
        match state.index.get(slot) {
            Some(entry) if entry.committed => match entry.resident.as_ref().or(entry.replacing.as_ref()) {
                Some(blob) => Location::Resident(CachedMedia::stored(entry, blob.share(), state.index.handle(slot))),
                None => Location::OnDisk(slot),
            },
            _ => Location::Absent,
        }
    }
}
