//! What kind of media a download is: what its origin says, or else what its first bytes look like.
//!
//! Bytes never make a document. What scripts could run in (HTML, XML, SVG) is only ever called that because its origin said so, so
//! that nobody gets a page served from here by having a "picture" downloaded whose origin says nothing.

use super::parameters::parameter;

/// How many bytes from the start of a body [`media_type`] makes use of.
pub(super) const HEAD_BYTES: usize = 8 * 1024;

/// The type of bytes about which nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// What origins say when they do not know, or when they want a browser to save the file.
const GENERIC: [&str; 9] = [
    UNKNOWN,
    "application/binary",
    "application/download",
    "application/force-download",
    "application/unknown",
    "application/x-download",
    "application/x-octet-stream",
    "binary/octet-stream",
    "unknown/unknown",
];

/// The longest type or subtype, in bytes (RFC 6838, section 4.2).
const LONGEST_NAME: usize = 127;

/// The media type of a body.
///
/// That is the `Content-Type` header, in lower case and without its parameters; only text keeps its `charset`, as in
/// `text/plain; charset=utf-8`, for without it the bytes may not be readable. Where the header is missing, is not a media type or
/// says nothing (`application/octet-stream` and its like), the type is recognised from `head`, the first bytes of the body, of
/// which 8 KiB suffice; and where they tell nothing either, it is `application/octet-stream`.
#[must_use]
pub fn media_type(header: Option<&str>, head: &[u8]) -> String {
    header.and_then(said).or_else(|| recognised(head)).unwrap_or_else(|| UNKNOWN.to_owned())
}

fn said(header: &str) -> Option<String> {
    let essence = header.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    if !is_name(kind) || !is_name(subtype) || GENERIC.contains(&essence.as_str()) {
        return None;
    }
    let charset = if kind == "text" { parameter(header, "charset").filter(|charset| is_name(charset)) } else { None };
    Some(match charset {
        Some(charset) => format!("{essence}; charset={}", charset.to_ascii_lowercase()),
        None => essence,
    })
}

fn recognised(head: &[u8]) -> Option<String> {
    let found = infer::get(&head[..head.len().min(HEAD_BYTES)])?;
    (found.matcher_type() != infer::MatcherType::Text).then(|| found.mime_type().to_owned())
}

/// A "restricted name" of RFC 6838: what a registered type can be called. Charset names fit it too. Wildcards do not.
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn the_origin_is_believed_when_it_names_a_type() {
        let table = [
            ("image/jpeg", "image/jpeg"),
            (" Image/JPEG ", "image/jpeg"),
            ("image/jpeg; charset=utf-8", "image/jpeg"),
            ("video/mp4;codecs=\"avc1.42E01E, mp4a.40.2\"", "video/mp4"),
            ("application/vnd.apple.mpegurl", "application/vnd.apple.mpegurl"),
            ("image/svg+xml", "image/svg+xml"),
            ("text/html", "text/html"),
            ("text/plain; charset=UTF-8", "text/plain; charset=utf-8"),
            ("Text/Plain; format=flowed; Charset=\"ISO-8859-1\"", "text/plain; charset=iso-8859-1"),
            ("text/plain; charset=", "text/plain"),
            ("text/plain; charset=\"utf-8, x\"", "text/plain"),
        ];
        for (header, expected) in table {
            assert_eq!(media_type(Some(header), PNG), expected, "{header}");
        }
    }

    #[test]
    fn the_first_bytes_tell_where_the_origin_does_not() {
        let long = format!("image/{}", "x".repeat(128));
        let says_nothing =
            ["", "image", "/", "image/", "/png", "*/*", "image/*", "image/p ng", "image/png, image/gif", "im\u{e4}ge/png", &long];
        for header in says_nothing.into_iter().chain(GENERIC).chain(["Application/Octet-Stream; x=y", "image/png\r\nx: y"]) {
            assert_eq!(media_type(Some(header), PNG), "image/png", "{header}");
        }
        assert_eq!(media_type(None, PNG), "image/png");
        assert_eq!(media_type(None, b"GIF89a\x01\0\x01\0"), "image/gif");
        assert_eq!(media_type(None, b"\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg");
        assert_eq!(media_type(None, b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), "video/mp4");
    }

    #[test]
    fn nothing_known_is_said_of_bytes_that_tell_nothing() {
        for head in [&b""[..], b"G", b"just some words", &[0; 9000]] {
            assert_eq!(media_type(None, head), "application/octet-stream", "{head:?}");
        }
    }

    #[test]
    fn bytes_alone_never_make_a_document_that_scripts_run_in() {
        for head in
            ["<!DOCTYPE HTML><script>alert(1)</script>", "  <html >", "<?xml version='1.0'?><svg/>", "<script >", "#!/bin/sh"]
        {
            assert_eq!(media_type(Some("application/octet-stream"), head.as_bytes()), "application/octet-stream", "{head}");
        }
    }
}
