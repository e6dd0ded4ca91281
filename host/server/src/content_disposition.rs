//! `Content-Disposition`: whether a browser displays or saves media, and under which file name (RFC 6266).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Subtypes of images that consist of pixels only. SVG is not one of them: it is a document, with scripts and links.
const PIXEL_IMAGES: [&str; 14] = [
    "apng",
    "avif",
    "bmp",
    "gif",
    "heic",
    "heif",
    "jpeg",
    "jxl",
    "png",
    "tiff",
    "vnd.microsoft.icon",
    "webp",
    "x-icon",
    "x-ms-bmp",
];

/// What is escaped in `filename*` (RFC 8187: all but `attr-char`).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The value of the header: `inline` only for types without active content, `attachment` for all others. A file name that is not
/// plain ASCII is there twice: in ASCII for old clients, and in full (RFC 6266, appendix D).
pub(crate) fn content_disposition(mimetype: &str, filename: &str) -> String {
    let kind = if is_inert(mimetype) { "inline" } else { "attachment" };
    let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%') { c } else { '_' };
    let ascii: String = filename.chars().map(plain).collect();
    if ascii == filename {
        return format!("{kind}; filename=\"{ascii}\"");
    }
    format!("{kind}; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(filename, ESCAPED))
}

/// Whether media of this type has no active content. PDF has, since viewers run the scripts in it.
fn is_inert(mimetype: &str) -> bool {
    let essence = mimetype.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("image", subtype)) => PIXEL_IMAGES.contains(&subtype),
        Some(("audio" | "video", subtype)) => !subtype.is_empty(),
        Some(("text", subtype)) => subtype == "plain",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_quoted_and_encoded() {
        for (name, header) in [
            ("a b.png", "inline; filename=\"a b.png\""),
            ("a\"b\\c%.png", "inline; filename=\"a_b_c_.png\"; filename*=UTF-8''a%22b%5Cc%25.png"),
            ("ä😀.png", "inline; filename=\"__.png\"; filename*=UTF-8''%C3%A4%F0%9F%98%80.png"),
            ("a\r\nSet-Cookie: x", "inline; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ] {
            assert_eq!(content_disposition("image/png", name), header);
        }
    }

    #[test]
    fn only_types_without_active_content_are_inline() {
        for shown in
            ["image/png", "IMAGE/JPEG", "image/webp; q=1", "video/mp4", "audio/mpeg", "text/plain", "text/plain; charset=utf-8"]
        {
            assert_eq!(content_disposition(shown, "a"), "inline; filename=\"a\"", "{shown}");
        }
        for saved in [
            "image/svg+xml",
            "image/svg+xml; charset=utf-8",
            "Image/SVG+XML",
            "image/png+xml",
            "image/",
            "image",
            "image/*",
            "text/html",
            "text/html;text/plain",
            "text/xml",
            "text/javascript",
            "text/css",
            "text/plain2",
            "application/xhtml+xml",
            "application/pdf",
            "application/javascript",
            "application/octet-stream",
            "application/zip",
            "multipart/x-mixed-replace",
            "model/gltf+json",
            "video/",
            "png",
            "",
        ] {
            assert_eq!(content_disposition(saved, "a"), "attachment; filename=\"a\"", "{saved}");
        }
    }
}
