//! The kind of media, which is derived from its media type.

use media_cache_entry_files::essence;

use crate::bindings::media_cache::policy::eviction::MediaKind;

/// The kind of media, as a policy sees it.
#[must_use]
pub fn media_kind(mimetype: &str) -> MediaKind {
    const ANIMATIONS: [&str; 2] = ["image/gif", "image/apng"];
    let essence = essence(mimetype);
    let (top_level, _) = essence.split_once('/').unwrap_or_default();
    if ANIMATIONS.iter().any(|animation| animation.eq_ignore_ascii_case(essence)) {
        MediaKind::Animation
    } else if top_level.eq_ignore_ascii_case("image") {
        MediaKind::Image
    } else if top_level.eq_ignore_ascii_case("video") {
        MediaKind::Video
    } else if top_level.eq_ignore_ascii_case("audio") {
        MediaKind::Audio
    } else {
        MediaKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_follows_from_the_media_type() {
        for (mimetype, kind) in [
            ("image/png", MediaKind::Image),
            ("Image/WebP", MediaKind::Image),
            ("image/gif", MediaKind::Animation),
            ("IMAGE/GIF; x=y", MediaKind::Animation),
            ("image/apng", MediaKind::Animation),
            ("image/gifs", MediaKind::Image),
            ("video/mp4", MediaKind::Video),
            ("audio/ogg; codecs=opus", MediaKind::Audio),
            ("application/json", MediaKind::Other),
            ("imagery/png", MediaKind::Other),
            ("image", MediaKind::Other),
            ("", MediaKind::Other),
        ] {
            assert_eq!(media_kind(mimetype), kind, "{mimetype}");
        }
    }
}
