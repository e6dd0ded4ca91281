//! Media on its way to those who asked for it.

use crate::bindings::exports::media_cache::cache::cache::{Media, Source, StoreError};
use crate::bindings::media_cache::cache::blobs::Blob;
use crate::bindings::media_cache::cache::downloader::Download;
use crate::index::Entry;
use crate::state::State;

/// Media, and what became of it.
pub struct Brought {
    /// The bytes.
    pub body: Blob,
    /// The media type.
    pub mimetype: String,
    /// The file name.
    pub filename: String,
    /// When it was stored, or brought, in milliseconds since 1970.
    pub stored_at: u64,
    /// Which entry it is, if it is one.
    pub ticket: Option<u64>,
    /// Why it is none.
    pub not_stored: Option<StoreError>,
}

impl Brought {
    /// The media of an entry.
    #[must_use]
    pub fn of(entry: &Entry<Blob>, body: Blob, ticket: u64) -> Self {
        Self {
            body,
            mimetype: entry.mimetype.clone(),
            filename: entry.filename.clone(),
            stored_at: entry.stored_at,
            ticket: Some(ticket),
            not_stored: None,
        }
    }

    /// Media that is not stored yet.
    #[must_use]
    pub fn fresh(download: Download, now: u64) -> Self {
        let Download { body, mimetype, filename } = download;
        Self { body, mimetype, filename, stored_at: now, ticket: None, not_stored: None }
    }

    /// The same for somebody else.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            body: self.body.share(),
            mimetype: self.mimetype.clone(),
            filename: self.filename.clone(),
            stored_at: self.stored_at,
            ticket: self.ticket,
            not_stored: self.not_stored.clone(),
        }
    }

    /// As it is handed out.
    pub(crate) fn into_media(self, source: Source, state: &State) -> Media {
        let resident = |ticket: &u64| {
            let entry = state.index.redeem(*ticket).and_then(|slot| state.index.get(slot));
            entry.is_some_and(|entry| entry.resident.is_some())
        };
        Media {
            mimetype: self.mimetype,
            filename: self.filename,
            body: self.body,
            source,
            stored_at: self.stored_at,
            ticket: self.ticket.filter(resident),
        }
    }
}
