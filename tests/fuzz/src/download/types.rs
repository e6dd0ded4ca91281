//! Media types derived from arbitrary headers and bodies.

use media_cache_http_downloader::SNIFFED_BYTES;
use media_cache_http_downloader::media_type as type_of;

use crate::input::{Input, text};

/// The input: a line with a `Content-Type`, which is missing if the line is empty, and the body.
pub fn media_type(data: &[u8]) {
    let mut input = Input::new(data);
    let header = text(input.line());
    let head = input.rest();
    let said = type_of(Some(&header), head);
    let recognised = type_of(None, head);
    for found in [&said, &recognised] {
        check_form(found);
        assert_eq!(&type_of(Some(found), head), found, "a type that was found is found again");
    }
    assert!(!can_run_scripts(&recognised) || is_recognised_text(&recognised), "{recognised} was derived from bytes");
    assert_eq!(said, type_of(Some(&header), &head[..head.len().min(SNIFFED_BYTES)]), "later bytes do not matter");
    if can_run_scripts(&said) && !(is_recognised_text(&said) && said == recognised) {
        let essence = said.split(';').next().unwrap_or_default();
        assert!(header.to_ascii_lowercase().contains(essence), "{said} is not in {header:?}");
    }
}

/// Checks that a type is `type/subtype` in lower case, with no parameter except a charset.
fn check_form(found: &str) {
    let (essence, charset) = found.split_once("; charset=").map_or((found, None), |(essence, charset)| (essence, Some(charset)));
    assert!(charset.is_none() || essence.starts_with("text/"), "{found:?}");
    assert_eq!(essence.matches('/').count(), 1, "{found:?}");
    let unfit = |c: char| !matches!(c, '!' | '#' | '$' | '&' | '+' | '-'..='9' | '^' | '_' | 'a'..='z');
    assert!(!essence.contains(unfit), "{found:?}");
    assert!(charset.is_none_or(|charset| !charset.is_empty() && !charset.contains(unfit)), "{found:?}");
    assert!(found.len() <= 127 + 1 + 127 + "; charset=".len() + 127, "{} bytes", found.len());
}

/// Whether this is a text type that may be detected from bytes without a declared type: subtitles, or an image that is served as an
/// attachment.
fn is_recognised_text(mimetype: &str) -> bool {
    matches!(mimetype, "text/vtt" | "image/svg+xml")
}

fn can_run_scripts(mimetype: &str) -> bool {
    let essence = mimetype.split(';').next().unwrap_or_default();
    essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("+xml") || essence.ends_with("ascript")
}
