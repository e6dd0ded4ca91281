//! The media type of a download: the one that its origin declares, or else the one that its first bytes indicate.
//!
//! A sniffed type is never a document in which scripts run (HTML, XML, SVG). Only an origin can declare such a type, so bytes without a
//! declared type cannot be served as a page from here.

use crate::header_parameters::parameter;

/// How many bytes at the start of a body [`media_type`] uses.
pub const SNIFFED_BYTES: usize = 8 * 1024;

/// The type of unrecognised bytes.
const UNKNOWN: &str = "application/octet-stream";

/// The types that origins declare if they do not know the type, or to make browsers save the file.
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
const MAX_NAME_BYTES: usize = 127;

/// The media type of a body.
///
/// It is the `Content-Type` header in lower case and without its parameters; only text keeps its `charset`, as in
/// `text/plain; charset=utf-8`, since the bytes may be unreadable without it. If the header is missing, invalid or generic (such as
/// `application/octet-stream`), the type is sniffed from `start`, the first bytes of the body, of which 8 KiB suffice. If they are not
/// recognised either, it is `application/octet-stream`.
#[must_use]
pub fn media_type(header: Option<&str>, start: &[u8]) -> String {
    header.and_then(declared_type).or_else(|| sniffed_type(start)).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The type that a `Content-Type` header declares, unless that is invalid or generic; see [`media_type`].
pub(crate) fn declared_type(header: &str) -> Option<String> {
    let essence = header.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    if !is_restricted_name(kind) || !is_restricted_name(subtype) || GENERIC.contains(&essence.as_str()) {
        return None;
    }
    let charset = if kind == "text" { parameter(header, "charset").filter(|charset| is_restricted_name(charset)) } else { None };
    Some(match charset {
        Some(charset) => format!("{essence}; charset={}", charset.to_ascii_lowercase()),
        None => essence,
    })
}

fn sniffed_type(start: &[u8]) -> Option<String> {
    let found = infer::get(&start[..start.len().min(SNIFFED_BYTES)])?;
    (found.matcher_type() != infer::MatcherType::Text).then(|| found.mime_type().to_owned())
}

/// The type of the HTML page that starts with these bytes, if they are one despite their media type.
///
/// A document type or `<html>` after the prolog makes them a page, except in text, which may quote markup. So does other markup by
/// which browsers recognise HTML (<https://mimesniff.spec.whatwg.org>), except in text and in XML, which may start with the same
/// comments.
pub(crate) fn page_type(start: &[u8], mimetype: &str) -> Option<&'static str> {
    let essence = mimetype.split(';').next().unwrap_or_default();
    let is_xml = essence.ends_with("+xml") || essence.ends_with("/xml");
    let (root, has_instruction) = skip_prolog(start);
    if starts_page(root) && (is_xml || !essence.starts_with("text/")) {
        return Some(if is_xml || has_instruction { "application/xhtml+xml" } else { "text/html" });
    }
    (!is_xml && !essence.starts_with("text/") && infer::text::is_html(root)).then_some("text/html")
}

fn starts_page(text: &[u8]) -> bool {
    ["<!doctype html", "<html"].iter().any(|tag| {
        let found = text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
        found && text.get(tag.len()).is_some_and(|&b| b.is_ascii_whitespace() || b == b'>')
    })
}

/// Skips a byte order mark, white space, comments and instructions. Also returns whether there was an instruction, such as
/// `<?xml version="1.0"?>`.
fn skip_prolog(start: &[u8]) -> (&[u8], bool) {
    let mut rest = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start).trim_ascii_start();
    let mut has_instruction = false;
    loop {
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            _ => return (rest, has_instruction),
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else { return (rest, has_instruction) };
        has_instruction |= end == b"?>";
        rest = rest[at + end.len()..].trim_ascii_start();
    }
}

/// Whether this is a restricted name (RFC 6838, section 4.2), as types and subtypes are. Charsets are as well; wildcards are not.
pub(crate) fn is_restricted_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn declared_type_is_used() {
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
    fn missing_or_generic_type_is_sniffed() {
        let long = format!("image/{}", "x".repeat(128));
        let generic =
            ["", "image", "/", "image/", "/png", "*/*", "image/*", "image/p ng", "image/png, image/gif", "im\u{e4}ge/png", &long];
        for header in generic.into_iter().chain(GENERIC).chain(["Application/Octet-Stream; x=y", "image/png\r\nx: y"]) {
            assert_eq!(media_type(Some(header), PNG), "image/png", "{header}");
        }
        assert_eq!(media_type(None, PNG), "image/png");
        assert_eq!(media_type(None, b"GIF89a\x01\0\x01\0"), "image/gif");
        assert_eq!(media_type(None, b"\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg");
        assert_eq!(media_type(None, b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"), "video/mp4");
    }

    #[test]
    fn unrecognised_bytes_are_an_octet_stream() {
        for head in [&b""[..], b"G", b"just some words", &[0; 9000]] {
            assert_eq!(media_type(None, head), "application/octet-stream", "{head:?}");
        }
    }

    #[test]
    fn page_is_recognised_by_its_beginning() {
        let html = Some("text/html");
        let table = [
            ("image/png", "<!DOCTYPE html><title>Sign in</title>", html),
            ("image/png", " \n\u{feff}", None),
            ("image/png", "\u{feff} <!-- hello --><HTML lang=en>", html),
            ("image/png", "<html>", html),
            ("image/png", "<htmlx>", None),
            ("application/octet-stream", "<script >alert(1)</script>", html),
            ("application/json", "<p>no such thing</p>", html),
            ("image/jpeg", "<?xml version='1.0'?>\n<!DOCTYPE html>\n<html>", Some("application/xhtml+xml")),
            // Text about pages, and XML that starts like one, have their declared type.
            ("text/plain; charset=utf-8", "<!doctype html>", None),
            ("text/css", "<!-- -->", None),
            ("image/svg+xml", "<!-- made by hand --><svg>", None),
            ("image/svg+xml", "<?xml version='1.0'?><!DOCTYPE svg><svg>", None),
            ("application/xml", "<a >", None),
            ("image/svg+xml", "<!-- --><html xmlns='http://www.w3.org/1999/xhtml'>", Some("application/xhtml+xml")),
            ("text/xml", "<html >", Some("application/xhtml+xml")),
            ("image/png", "\x7fPNG", None),
            ("image/png", "", None),
        ];
        for (mimetype, start, expected) in table {
            assert_eq!(page_type(start.as_bytes(), mimetype), expected, "{mimetype}: {start}");
        }
    }

    #[test]
    fn sniffed_type_is_never_a_document_with_scripts() {
        for head in
            ["<!DOCTYPE HTML><script>alert(1)</script>", "  <html >", "<?xml version='1.0'?><svg/>", "<script >", "#!/bin/sh"]
        {
            assert_eq!(media_type(Some("application/octet-stream"), head.as_bytes()), "application/octet-stream", "{head}");
        }
    }
}
