//! The kind of media, which is derived from its media type.

use crate::media_type::essence;

/// The kind of media, as a policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// `image/*`, except animations.
    Image,
    /// A media type for animated images: `image/gif` or `image/apng`.
    Animation,
    /// `video/*`.
    Video,
    /// `audio/*`.
    Audio,
    /// Any other media type.
    Other,
}

impl MediaKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Image, Self::Animation, Self::Video, Self::Audio, Self::Other];

    /// The kind that a media type stands for.
    #[must_use]
    pub fn of(mimetype: &str) -> Self {
        const ANIMATIONS: [&str; 2] = ["image/gif", "image/apng"];
        let essence = essence(mimetype);
        let (top_level, _) = essence.split_once('/').unwrap_or_default();
        if ANIMATIONS.iter().any(|animation| animation.eq_ignore_ascii_case(essence)) {
            Self::Animation
        } else if top_level.eq_ignore_ascii_case("image") {
            Self::Image
        } else if top_level.eq_ignore_ascii_case("video") {
            Self::Video
        } else if top_level.eq_ignore_ascii_case("audio") {
            Self::Audio
        } else {
            Self::Other
        }
    }

    /// Its name in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Animation => "animation",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Other => "other",
        }
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
            assert_eq!(MediaKind::of(mimetype), kind, "{mimetype}");
        }
    }
}
