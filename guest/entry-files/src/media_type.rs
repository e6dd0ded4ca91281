//! Media types as they are stored and sent.

/// The maximum length of a media type that the cache accepts, in bytes.
const MAX_BYTES: usize = 255;

/// Returns a media type without its parameters.
#[must_use]
pub fn essence(mimetype: &str) -> &str {
    mimetype.split(';').next().unwrap_or_default().trim()
}

/// Whether the text is a media type: `type/subtype`, with or without parameters, in visible ASCII and spaces (RFC 6838, section 4.2).
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
}
