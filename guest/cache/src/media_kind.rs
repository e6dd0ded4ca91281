//! The kind of media as a policy sees it.

use media_cache_entry_files::MediaKind as Kind;

use crate::bindings::media_cache::policy::eviction::MediaKind;

/// The kind that a media type stands for.
#[must_use]
pub fn media_kind(mimetype: &str) -> MediaKind {
    match Kind::of(mimetype) {
        Kind::Image => MediaKind::Image,
        Kind::Animation => MediaKind::Animation,
        Kind::Video => MediaKind::Video,
        Kind::Audio => MediaKind::Audio,
        Kind::Other => MediaKind::Other,
    }
}
