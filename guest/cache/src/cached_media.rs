//! Media on its way from the origin or the disk to the requests that wait for it.

use std::sync::Arc;

use media_cache_entry_files::Metadata;

use crate::bindings::exports::media_cache::cache::cache::{Media, Source, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::entry::Entry;
use crate::origin_metadata::OriginMetadata;
use crate::state::State;

/// Media, and whether it is stored.
pub struct CachedMedia {
    /// The bytes.
    pub body: Blob,
    /// The metadata of the media.
    pub metadata: Arc<Metadata>,
    /// Identifies the entry, if the media is stored.
    pub handle: Option<u64>,
    /// Why the media is not stored.
    pub not_stored: Option<StoreError>,
}

/// The outcome of a refresh.
pub struct Refreshed {
    /// The fetched media, or the stored media if it is the same.
    pub media: CachedMedia,
    /// Whether the media differs from what was stored.
    pub modified: bool,
}

impl Refreshed {
    /// The outcome on standby, with what is stored. If nothing is stored, the media is empty.
    #[must_use]
    pub fn not_ready(stored: Option<CachedMedia>, now: u64) -> Self {
        let media = stored.unwrap_or_else(|| CachedMedia {
            body: Blob::from_bytes(&[]),
            metadata: Metadata::new(String::new(), "", now).into(),
            handle: None,
            not_stored: None,
        });
        Self { media: CachedMedia { handle: None, not_stored: Some(StoreError::NotReady), ..media }, modified: false }
    }

    /// Returns the same outcome for another request.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { media: self.media.share(), modified: self.modified }
    }
}

impl CachedMedia {
    /// The media of an entry.
    #[must_use]
    pub fn stored(body: &Blob, metadata: &Arc<Metadata>, handle: u64) -> Self {
        Self { body: body.share(), metadata: Arc::clone(metadata), handle: Some(handle), not_stored: None }
    }

    /// Media that is not stored yet. `cost` is the time in milliseconds that its fetch took, 0 if unknown.
    #[must_use]
    pub fn fetched(media: FetchedMedia, cost: u32, now: u64) -> Self {
        let FetchedMedia { body, mimetype, filename, cache_control, validators } = media;
        let metadata = Metadata { cost, ..Metadata::new(mimetype, &filename, now).with_origin(cache_control, validators) };
        Self { body, metadata: metadata.into(), handle: None, not_stored: None }
    }

    /// Returns the same media for another request.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            body: self.body.share(),
            metadata: Arc::clone(&self.metadata),
            handle: self.handle,
            not_stored: self.not_stored.clone(),
        }
    }

    /// Converts the media into the response to a request. If the memory tier holds the bytes, the response contains its blob.
    pub(crate) fn into_media(self, source: Source, state: &State) -> Media {
        let slot = self.handle.and_then(|handle| state.index.resolve(handle));
        // The entry may have been refreshed in the meantime, in which case its bytes differ.
        let is_same = |metadata: &Arc<Metadata>| Arc::ptr_eq(metadata, &self.metadata);
        let file = slot.and_then(|slot| state.memory_tier.open_file(slot)).filter(|open| is_same(&open.metadata));
        let file = file.map(|open| open.body.share());
        let sidecar = slot.and_then(|slot| state.index.get(slot)).filter(|_| file.is_some()).map(Entry::sidecar);
        let resident = slot.and_then(|slot| state.memory_tier.get(slot)).filter(|resident| is_same(&resident.metadata));
        let resident = resident.map(|resident| &resident.body);
        Media {
            mimetype: self.metadata.mimetype.clone(),
            filename: self.metadata.filename.clone(),
            source,
            stored_at: self.metadata.stored_at,
            handle: self.handle.filter(|_| slot.is_some()),
            resident: resident.is_some(),
            file,
            sidecar,
            cache_control: self.metadata.cache_control(),
            validators: self.metadata.validators(),
            cost: self.metadata.cost,
            body: match resident {
                Some(resident) if source == Source::Origin => resident.share(),
                _ => self.body,
            },
        }
    }
}
