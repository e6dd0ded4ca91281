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

/// What an origin says, if it says anything: see [`media_type`].
pub(super) fn said(header: &str) -> Option<String> {
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

/// The type of the page that these first bytes of a body are the beginning of, if they are.
///
/// They are if a browser that looks at bytes would say so (<https://mimesniff.spec.whatwg.org>), or if the first thing behind XML's
/// preliminaries is what a page begins with. Other text may well be about pages, and other XML begin with a comment as pages do: where
/// the type in use is one of those, it takes the beginning of a page itself, or the type is right.
pub(super) fn page(head: &[u8], mimetype: &str) -> Option<&'static str> {
    let essence = mimetype.split(';').next().unwrap_or_default();
    let is_xml = essence.ends_with("+xml") || essence.ends_with("/xml");
    let (root, has_prolog) = behind_prolog(head);
    if begins_with_page(root) && (is_xml || !essence.starts_with("text/")) {
        return Some(if is_xml || has_prolog { "application/xhtml+xml" } else { "text/html" });
    }
    (!is_xml && !essence.starts_with("text/") && infer::text::is_html(root)).then_some("text/html")
}

fn begins_with_page(text: &[u8]) -> bool {
    ["<!doctype html", "<html"].iter().any(|beginning| {
        let found = text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning.as_bytes()));
        found && text.get(beginning.len()).is_some_and(|&b| b.is_ascii_whitespace() || b == b'>')
    })
}

/// What is left of a text without the mark of its encoding, white space, comments and instructions at its start; and whether there was
/// an instruction, such as `<?xml version="1.0"?>`.
fn behind_prolog(head: &[u8]) -> (&[u8], bool) {
    let mut rest = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start();
    let mut instructed = false;
    loop {
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            _ => return (rest, instructed),
        };
        let Some(at) = rest.windows(end.len()).position(|window| window == end) else { return (rest, instructed) };
        instructed |= end == b"?>";
        rest = rest[at + end.len()..].trim_ascii_start();
    }
}

/// A "restricted name" of RFC 6838: what a registered type can be called. Charset names fit it too. Wildcards do not.
pub(super) fn is_name(name: &str) -> bool {
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
    fn a_page_is_known_by_how_it_begins() {
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
            // What is about pages, or begins like one, is what it is said to be.
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
        for (mimetype, head, expected) in table {
            assert_eq!(page(head.as_bytes(), mimetype), expected, "{mimetype}: {head}");
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
