//! Serves stored entries.

use media_cache_entry_files::KeyDigest;

use crate::bindings::exports::media_cache::cache::cache::{Media, Source};
use crate::cache::Cache;
use crate::cached_media::CachedMedia;
use crate::clock;
use crate::entry::EntryState;
use crate::memory_tier::Resident;
use crate::read_back::ReadBack;
use crate::single_flight::Role;
use crate::state::State;

/// Where the bytes of an entry are.
enum Location {
    /// In the memory tier, or held while the files are being replaced.
    Resident(CachedMedia),
    /// Only on disk, or possibly on disk while the directory is being loaded.
    OnDisk,
    /// Nothing is stored.
    Absent,
}

impl Cache {
    /// Implements `get`, which the WIT documents.
    pub async fn get(&self, url: &str) -> Option<Media> {
        // If the directory cannot be opened, the cache counts as empty.
        let _ = self.ensure_open().await;
        let media = self.hit(&self.lookup_key(url).digest).await;
        if media.is_none() {
            self.state.borrow_mut().counters.misses += 1;
        }
        media
    }

    /// Implements `promote`, which the WIT documents.
    pub async fn promote(&self, handle: u64) -> Option<Media> {
        let digest = {
            let state = self.state.borrow();
            let entry = state.index.resolve(handle).and_then(|slot| state.index.get(slot));
            entry.filter(|entry| state.memory_tier.fits(entry.size))?.digest
        };
        let (media, source) = self.find(&digest).await?;
        let media = media.into_media(source, &self.state.borrow());
        media.resident.then_some(media)
    }

    /// Returns the stored media, and counts a hit.
    pub(crate) async fn hit(&self, digest: &KeyDigest) -> Option<Media> {
        let (media, source) = self.find(digest).await?;
        let state = &mut *self.state.borrow_mut();
        state.record_hit(media.handle, source, clock::now());
        Some(media.into_media(source, state))
    }

    /// Returns the stored media, from memory or disk, without counting a hit or changing the order of use.
    pub(crate) async fn find(&self, digest: &KeyDigest) -> Option<(CachedMedia, Source)> {
        loop {
            match self.state.borrow().locate(digest) {
                Location::Resident(media) => return Some((media, Source::Memory)),
                Location::Absent => return None,
                Location::OnDisk => {}
            }
            // If the entry is dropped, the next iteration finds nothing, or an entry that was stored in the meantime.
            match self.reads.join(digest) {
                Role::Leader(leader) => match self.read_back(*digest).await {
                    ReadBack::Complete(media) => {
                        leader.finish(|| Some(media.share()));
                        return Some((media, Source::Disk));
                    }
                    ReadBack::Changed => leader.finish(|| None),
                    ReadBack::Absent | ReadBack::Unreadable => return None,
                },
                Role::Follower(result) => {
                    if let Ok(Some(media)) = result.await {
                        return Some((media, Source::Disk));
                    }
                }
            }
        }
    }
}

impl State {
    fn locate(&self, digest: &KeyDigest) -> Location {
        let Some(slot) = self.index.find(digest) else { return self.locate_unknown(digest) };
        match self.index.get(slot).map(|entry| entry.state) {
            Some(state @ (EntryState::Stored | EntryState::Replacing)) => {
                match self.memory_tier.get(slot).or_else(|| self.replacing.get(&slot)) {
                    Some(Resident { body, metadata, .. }) => {
                        Location::Resident(CachedMedia::stored(body, metadata, self.index.handle(slot)))
                    }
                    // The old files could not be read, and the new ones are not in place yet.
                    None if state == EntryState::Replacing => Location::Absent,
                    None => Location::OnDisk,
                }
            }
            Some(EntryState::Unverified) => Location::OnDisk,
            Some(EntryState::Reserved) | None => Location::Absent,
        }
    }

    /// Locates an entry that is not in the index. While the directory is being loaded, its files may exist nevertheless.
    fn locate_unknown(&self, digest: &KeyDigest) -> Location {
        match &self.loading {
            Some(loading) if !loading.removed.contains_key(digest) => Location::OnDisk,
            _ => Location::Absent,
        }
    }
}
