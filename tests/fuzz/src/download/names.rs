//! File names derived from arbitrary headers and URLs.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::input::{Input, text};
use media_cache_http_downloader::fuzzing::{decode_plain, parameter};
use media_cache_http_downloader::{clean_filename, filename_for};

/// The input: a line with a media type, a line with the path of a URL, and a `Content-Disposition`. All of it is also used as a name.
pub fn file_name(data: &[u8]) {
    let mut input = Input::new(data);
    let mimetype = text(input.line());
    let path = text(input.line());
    let header = input.rest();
    let url = at(&path);
    for disposition in [Some(header), None] {
        let name = filename_for(disposition, &url, &mimetype);
        check_safe(&name);
        assert_eq!(clean_filename(&name).as_ref(), Some(&name), "a clean name does not change");
    }
    let header = text(header);
    for name in ["filename", "filename*"] {
        assert_eq!(parameter(&header, name), parameter(&header, &name.to_uppercase()), "case does not matter");
    }
    check_spellings(&text(data));
}

/// Checks that a file name is safe on every system.
fn check_safe(name: &str) {
    assert!(!name.is_empty() && name.len() <= 200, "{} bytes", name.len());
    assert!(!name.contains(['/', '\\']), "{name:?} is more than one path segment");
    assert!(!name.starts_with('.') && !name.ends_with('.'), "{name:?} is hidden, or names a directory");
    assert_eq!(name.trim(), name, "there is no white space at either end");
    let turning = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter().chain('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
    for hidden in turning.chain(['\u{200b}', '\u{2060}', '\u{feff}']) {
        assert!(!name.contains(hidden), "{name:?} contains {hidden:?}");
    }
    for hidden in ['\u{34f}', '\u{115f}', '\u{200d}', '\u{2800}', '\u{3164}', '\u{fe0f}', '\u{ffa0}', '\u{e0061}'] {
        assert!(!name.contains(hidden), "{name:?} contains {hidden:?}");
    }
    assert!(!name.contains(char::is_control), "{name:?} contains a control character");
    assert!(!name.contains(['<', '>', ':', '"', '|', '?', '*']), "{name:?} is not allowed on Windows");
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    assert!(!["CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "COM²", "CONIN$"].contains(&stem.as_str()), "{name:?} is a device");
}

/// Checks that every way to write the header results in the same name.
fn check_spellings(given: &str) {
    let clean = clean_filename(given);
    if let Some(clean) = &clean {
        check_safe(clean);
        let extended = clean_filename(&format!("{clean}.jpeg"));
        assert!(extended.is_some_and(|name| name.ends_with(".jpeg") && name.len() <= 200), "the extension is kept");
    }
    let expected = clean.as_deref().unwrap_or("media");
    let plain = clean_filename(&decode_plain(given.to_owned()));
    let plain = plain.as_deref().unwrap_or("media");
    let quoted = format!("\"{}\"", given.replace('\\', r"\\").replace('"', "\\\""));
    let encoded = utf8_percent_encode(given, NON_ALPHANUMERIC);
    let either = if expected == "media" { plain } else { expected };
    let headers = [
        (format!("attachment; filename={quoted}"), plain),
        (format!("inline;FileName = {quoted}; filename=other.gif"), plain),
        (format!("attachment; filename*=UTF-8''{encoded}"), expected),
        (format!("attachment; filename*=utf-8'en'{encoded} ; filename={quoted}"), either),
        (format!("attachment; filename={quoted}; filename*=UTF-8''{encoded}"), either),
    ];
    for (header, expected) in headers {
        assert_eq!(filename_for(Some(header.as_bytes()), &at(""), ""), expected, "{header:?}");
    }
}

fn at(path: &str) -> Url {
    let mut url = nowhere();
    url.set_path(path);
    url
}

#[allow(clippy::unwrap_used, reason = "it is a URL")]
fn nowhere() -> Url {
    Url::parse("https://example.com/").unwrap()
}
