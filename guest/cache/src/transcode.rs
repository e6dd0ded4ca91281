//! Converts media before it is stored, if the host's transcoder accepts its type. The default host converts GIFs to videos.

use media_cache_entry_files::{essence, is_media_type};
use media_cache_file_names::converted_name;

use crate::bindings::media_cache::cache::downloader::FetchedMedia;
use crate::bindings::media_cache::cache::transcoder::{self, Conversion, Transcoded};
use crate::cache::Cache;

const GIF: &str = "image/gif";

/// The maximum length of the extension of converted media, in bytes.
const MAX_EXTENSION_BYTES: usize = 16;

/// The number of bytes at the start of a body that identify a GIF.
const GIF_SIGNATURE_BYTES: usize = 6;

impl Cache {
    /// Whether media whose body is arriving must not be served before it is complete, because it will or may be converted.
    pub(crate) fn is_needed_whole(&self, media: &FetchedMedia) -> bool {
        let accepted = self.accepted_types.get_or_init(transcoder::accepted_types);
        // For a moment at the end of an arriving body, its bytes cannot be read.
        let head = media.body.head(GIF_SIGNATURE_BYTES as u32).unwrap_or_default();
        !accepted.is_empty() && (head.len() < GIF_SIGNATURE_BYTES || accepted_type(&media.mimetype, &head, accepted).is_some())
    }

    /// Returns the converted media, or the media unchanged.
    pub(crate) async fn transcode(&self, media: FetchedMedia) -> FetchedMedia {
        let accepted = self.accepted_types.get_or_init(transcoder::accepted_types);
        if accepted.is_empty() {
            return media;
        }
        let head = media.body.head(GIF_SIGNATURE_BYTES as u32).unwrap_or_default();
        let Some(source_type) = accepted_type(&media.mimetype, &head, accepted) else { return media };
        let result = transcoder::transcode(&media.body, source_type.into()).await;
        let counters = &mut self.state.borrow_mut().counters;
        match result {
            Ok(Transcoded::Converted(conversion)) if is_usable(&conversion) => {
                counters.transcoded += 1;
                let filename = converted_name(&media.filename, &conversion.mimetype, &conversion.extension);
                FetchedMedia { body: conversion.body, mimetype: conversion.mimetype, filename, ..media }
            }
            Ok(Transcoded::Keep) => media,
            Ok(Transcoded::Converted(_)) | Err(_) => {
                counters.transcode_failures += 1;
                media
            }
        }
    }
}

/// Whether a conversion can be stored. An unusable result of a host's transcoder must not replace media that could have been kept.
fn is_usable(conversion: &Conversion) -> bool {
    let Conversion { body, mimetype, extension } = conversion;
    body.size() > 0 && is_media_type(mimetype) && is_extension(extension)
}

fn is_extension(extension: &str) -> bool {
    matches!(extension.len(), 1..=MAX_EXTENSION_BYTES) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns the accepted type that the media has, according to its declared type or, for a GIF, its first bytes.
fn accepted_type<'a>(mimetype: &str, head: &[u8], accepted: &'a [String]) -> Option<&'a str> {
    let is_gif = head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a");
    let source_type = if is_gif { GIF } else { essence(mimetype) };
    accepted.iter().find(|accepted| accepted.eq_ignore_ascii_case(source_type)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(mimetype: &str, head: &[u8], types: &[&str]) -> Option<String> {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        accepted_type(mimetype, head, &types).map(Into::into)
    }

    #[test]
    fn a_gif_is_recognised_by_its_type_or_its_first_bytes() {
        let is_gif = |mimetype, head| accepted(mimetype, head, &[GIF]).is_some();
        assert!(is_gif("image/gif", b""));
        assert!(is_gif("IMAGE/GIF; x=y", b"whatever"));
        assert!(is_gif("image/png", b"GIF89a..."));
        assert!(is_gif("application/octet-stream", b"GIF87a"));
        assert!(!is_gif("image/png", b"GIF8"));
        assert!(!is_gif("image/gifs", b"\x89PNG"));
    }

    #[test]
    fn only_accepted_types_are_transcoded() {
        assert_eq!(accepted("image/gif", b"GIF89a", &[]), None);
        assert_eq!(accepted("image/webp", b"RIFF", &["image/gif", "image/webp"]).as_deref(), Some("image/webp"));
        assert_eq!(accepted("image/webp", b"GIF89a", &["image/gif", "image/webp"]).as_deref(), Some("image/gif"));
        assert_eq!(accepted("image/webp", b"GIF89a", &["image/webp"]), None, "it is a GIF, which is not accepted");
    }

    #[test]
    fn an_extension_is_short_and_alphanumeric() {
        for extension in ["mp4", "7z", "webm"] {
            assert!(is_extension(extension), "{extension}");
        }
        for extension in ["", ".mp4", "../x", "m p", "mp4\n", "ä", &"x".repeat(17)] {
            assert!(!is_extension(extension), "{extension:?}");
        }
    }
}
