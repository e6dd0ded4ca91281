//! What follows from a media type.

use crate::bindings::media_cache::policy::eviction::MediaKind;

/// The longest media type that the cache accepts, in bytes.
const MAX_BYTES: usize = 255;

/// A media type without its parameters.
#[must_use]
pub fn essence(mimetype: &str) -> &str {
    mimetype.split(';').next().unwrap_or_default().trim()
}

/// Whether this is a media type: `type/subtype`, with or without parameters, in visible ASCII and spaces (RFC 6838,
/// section 4.2).
#[must_use]
pub fn is_media_type(mimetype: &str) -> bool {
    let is_token =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte));
    let is_type = essence(mimetype).split_once('/').is_some_and(|(top_level, subtype)| is_token(top_level) && is_token(subtype));
    is_type
        && mimetype.trim() == mimetype
        && mimetype.len() <= MAX_BYTES
        && mimetype.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

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
    fn a_media_type_has_two_tokens() {
        for mimetype in ["video/mp4", "image/svg+xml", "audio/ogg; codecs=\"opus\"", "application/vnd.x-y.z"] {
            assert!(is_media_type(mimetype), "{mimetype}");
        }
        let long = format!("video/{}", "x".repeat(250));
        for mimetype in [
            "",
            "video",
            "video/",
            "/mp4",
            "video/mp 4",
            "video/mp4\r\nx: y",
            "vidéo/mp4",
            "a/b/c",
            " video/mp4",
            "video/mp4 ",
            &long,
        ] {
            assert!(!is_media_type(mimetype), "{mimetype}");
        }
    }

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
