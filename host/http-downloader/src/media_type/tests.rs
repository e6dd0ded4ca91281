use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";

#[test]
fn declared_type_is_used() {
    let table = [
        ("image/jpeg", "image/jpeg"),
        (" Image/JPEG ", "image/jpeg"),
        ("image/jpeg; charset=utf-8", "image/jpeg"),
        ("image/JPG", "image/jpeg"),
        ("audio/x-wav;codecs=1", "audio/wav"),
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
        assert_eq!(media_type(Some(header), b"who knows"), expected, "{header}");
    }
}

#[test]
fn type_is_detected_from_the_bytes_if_the_declared_type_is_missing_or_generic() {
    let long = format!("image/{}", "x".repeat(128));
    let generic =
        ["", "image", "/", "image/", "/png", "*/*", "image/*", "image/p ng", "image/png, image/gif", "im\u{e4}ge/png", &long];
    for header in generic.into_iter().chain(GENERIC).chain(["Application/Octet-Stream; x=y", "image/png\r\nx: y"]) {
        assert_eq!(media_type(Some(header), PNG), "image/png", "{header}");
    }
    assert_eq!(media_type(None, PNG), "image/png");
    assert_eq!(media_type(None, b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "image/svg+xml");
    assert_eq!(media_type(None, b"WEBVTT\n"), "text/vtt");
}

#[test]
fn text_is_settled_once_it_cannot_turn_out_to_be_media() {
    let text = |length: usize| "words ".repeat(length / 6 + 1).into_bytes();
    // Text so far, although it begins like a GIF.
    let gif = |length: usize| [b"GIF89a ".as_slice(), &text(length)].concat();
    for (start, expected) in [(text(1), false), (text(400), true), (gif(400), false), (gif(SEARCHED_BYTES), true)] {
        assert_eq!(is_settled(Some("text/plain"), &start), expected, "{} bytes", start.len());
    }
    let [before, after] = [gif(400), [gif(400), vec![1]].concat()].map(|start| media_type(Some("text/plain"), &start));
    assert_eq!([before, after], ["text/plain", "image/gif"]);
    assert!(is_settled(Some("text/plain"), b"GIF89a\x01"));
}

#[test]
fn unmistakable_media_overrides_text_and_other_media() {
    let table: [(&str, &[u8], &str); 17] = [
        ("text/plain", PNG, "image/png"),
        ("text/plain; charset=UTF-8", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
        ("text/html; charset=utf-8", PNG, "image/png"),
        ("text/javascript", MP4, "video/mp4"),
        ("application/json", b"RIFF\x1a\0\0\0WEBPVP8L", "image/webp"),
        ("application/xml", PNG, "image/png"),
        ("application/atom+xml", PNG, "image/png"),
        ("image/svg+xml", PNG, "image/png"),
        ("text/plain", b"GIF89a\x01\0\x01\0\x80", "image/gif"),
        ("image/gif", MP4, "video/mp4"),
        ("image/gif", PNG, "image/png"),
        ("image/png", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg"),
        ("image/x-unknown", PNG, "image/png"),
        ("video/mp4", b"GIF89a\x01\0\x01\0\x80", "image/gif"),
        ("audio/mpeg", b"fLaC\0\0\0\x22\x10\0", "audio/flac"),
        ("audio/mpeg", b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", "audio/mp4"),
        ("application/ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x07\x80theora", "video/ogg"),
    ];
    for (header, start, expected) in table {
        assert_eq!(media_type(Some(header), start), expected, "{header}: {start:?}");
    }
}

#[test]
fn declared_type_is_kept_if_the_bytes_are_compatible_with_it() {
    let vorbis: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis";
    let table: [(&str, &[u8]); 22] = [
        // Containers for several types.
        ("audio/mp4", MP4),
        ("video/quicktime", MP4),
        ("video/3gpp", MP4),
        ("video/x-unknown", MP4),
        ("audio/webm", b"\x1aE\xdf\xa3\xa3B\x82\x84webm"),
        ("video/ogg", vorbis),
        ("audio/opus", vorbis),
        ("image/apng", PNG),
        ("image/x-canon-cr2", b"II*\0\x10\0\0\0CR"),
        ("image/heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("audio/aac", b"ID3\x04\0\0\0\0\0\x0a"),
        // Text that starts like an image.
        ("text/plain", b"GIF89a is the version of 1989"),
        ("text/plain", b"BMW builds cars, and reads text with 0 in it"),
        ("text/plain", b"RIFFRAFFWEBPVPs"),
        ("text/plain", b"ID3 tags precede MP3 files"),
        ("text/plain; charset=utf-16", b"\xff\xfeH\0i\0"),
        ("application/json", b"\"GIF89a\""),
        // Types that are neither text nor media, or bytes that are not media.
        ("application/pdf", PNG),
        ("application/zip", PNG),
        ("image/png", b"%PDF-1.7"),
        ("text/plain", b"PK\x03\x04\0\0"),
        ("image/gif", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ];
    for (header, start) in table {
        assert_eq!(media_type(Some(header), start), header, "{start:?}");
    }
}

#[test]
fn unrecognised_bytes_are_an_octet_stream() {
    for head in [&b""[..], b"G", b"just some words", b"BMW", b"<p>a</p>", b"\0\0\x02\0\0\0\0\0\0\0\0\0", &[0; 9000]] {
        assert_eq!(media_type(None, head), "application/octet-stream", "{head:?}");
    }
}

#[test]
fn sniffing_never_yields_a_type_that_browsers_execute() {
    let runnable = [
        "<!DOCTYPE HTML><script>alert(1)</script>",
        "  <html >",
        "<?xml version='1.0'?><rss/>",
        "<script >",
        "#!/bin/sh",
        "import './a.js'",
        "\0asm\u{1}\0\0\0",
    ];
    for head in runnable {
        assert_eq!(media_type(Some("application/octet-stream"), head.as_bytes()), "application/octet-stream", "{head}");
        for declared in ["image/png", "text/plain", "application/json"] {
            assert_eq!(media_type(Some(declared), head.as_bytes()), declared, "{head}");
        }
    }
}
