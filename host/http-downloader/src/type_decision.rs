//! Decides the media type of a download and whether it is accepted, from its headers, its first bytes, or all of a short body.

use std::sync::Arc;

use crate::accepted_types::accepts;
use crate::markup::{begins_like_markup, page_type};
use crate::media_type::{declared_type, is_settled, may_be_overridden, media_type};
use crate::options::HttpOptions;
use media_cache_interfaces::FetchError;

/// The decision about the media type of a response.
pub(crate) struct TypeDecision {
    options: Arc<HttpOptions>,
    content_type: Option<String>,
    /// The declared type, if it is not accepted. It may be wrong, so the first bytes decide.
    refused: Option<String>,
}

impl TypeDecision {
    /// The decision about a response with this `Content-Type`. Fails if this header alone is reason to refuse the response.
    pub fn new(content_type: Option<&str>, options: Arc<HttpOptions>) -> Result<Self, FetchError> {
        let refused = content_type.and_then(declared_type).filter(|mimetype| !accepts(&options.accept_types, mimetype));
        let decision = Self { options, content_type: content_type.map(Into::into), refused };
        match decision.refused.as_ref().filter(|mimetype| !may_be_overridden(mimetype)) {
            Some(mimetype) => decision.check(mimetype, "it is").map(|()| decision),
            None => Ok(decision),
        }
    }

    /// If the declared type is not accepted, refuses the body unless its first bytes indicate an accepted type.
    pub fn check_start(&self, start: &[u8]) -> Result<(), FetchError> {
        match self.refused {
            Some(_) => self.check(&media_type(self.content_type.as_deref(), start), "it is"),
            None => Ok(()),
        }
    }

    /// The media type of a body that starts with these bytes: either the whole body, or as many bytes as are examined.
    pub fn decide(&self, start: &[u8]) -> Result<String, FetchError> {
        let mimetype = media_type(self.content_type.as_deref(), start);
        self.check(&mimetype, "it is")?;
        if let Some(page) = page_type(start, &mimetype) {
            self.check(page, &format!("its type is {mimetype}, but its content is"))?;
        }
        Ok(mimetype)
    }

    /// The media type of a body whose first bytes are these. `None` if further bytes could change the type or cause a refusal, since the
    /// returned type is stored.
    pub fn decide_early(&self, start: &[u8]) -> Option<String> {
        let may_change = begins_like_markup(start) || !is_settled(self.content_type.as_deref(), start);
        if may_change { None } else { self.decide(start).ok() }
    }

    /// Whether media of this type may be read before all of it has arrived.
    pub fn may_stream(&self, mimetype: &str) -> bool {
        let essence = mimetype.split(';').next().unwrap_or_default().trim();
        !self.options.whole_types.iter().any(|whole| whole.eq_ignore_ascii_case(essence))
    }

    /// Checks a media type; `subject` starts the message.
    fn check(&self, mimetype: &str, subject: &str) -> Result<(), FetchError> {
        check_type(&self.options, mimetype, subject)
    }
}

/// Checks the type of media that is already known.
pub(crate) fn check_known_type(options: &HttpOptions, mimetype: &str) -> Result<(), FetchError> {
    check_type(options, mimetype, "it is")
}

fn check_type(options: &HttpOptions, mimetype: &str, subject: &str) -> Result<(), FetchError> {
    match accepts(&options.accept_types, mimetype) {
        true => Ok(()),
        false => Err(FetchError::UnacceptableType(format!("{subject} {mimetype}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(content_type: Option<&str>) -> TypeDecision {
        TypeDecision::new(content_type, Arc::new(HttpOptions::default())).unwrap()
    }

    #[test]
    fn early_decision_needs_bytes_after_which_no_other_type_is_possible() {
        let text = "words and more words ".repeat(20);
        let mp3 = [b"\xff\xfb\x90\x64".as_slice(), &[0; 413]].concat().repeat(2);
        let ogg = [b"OggS\0\x02".as_slice(), &[0; 20], b"\x01\x08OpusHead", &[0; 400]].concat();
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        for (content_type, start, expected) in [
            (Some("image/png"), &png[..], Some("image/png")),
            (None, &png[..], Some("image/png")),
            (None, &png[..8], Some("image/png")),
            (None, &png[..7], None),
            (Some("image/png"), &png[..7], None),
            (Some("application/pdf"), b"%", Some("application/pdf")),
            (Some("application/pdf"), b"\xef", None),
            (Some("text/plain"), text.as_bytes(), Some("text/plain")),
            // A transport stream begins with a G.
            (Some("text/plain"), b"Great words and more words", None),
            // After the first letters, it may still be an archive, whose signature comes later.
            (None, b"words and more words", None),
            (None, text.as_bytes(), Some("application/octet-stream")),
            (None, &mp3[..400], None),
            (None, &mp3, Some("audio/mpeg")),
            (Some("audio/mpeg"), &mp3, Some("audio/mpeg")),
            // A video may follow the audio.
            (None, &ogg, None),
            (None, b"PK\x03\x04 and 20 more bytes", None),
            (None, &[b"PK\x03\x04".as_slice(), &[0; 60]].concat(), Some("application/zip")),
            (None, b"<div> and much more text", None),
            (Some("image/svg+xml"), b"\n\n<!-- a long comment ", None),
            (None, b"                       ", None),
            (Some("image/png"), b"<!doctype html><html>", None),
        ] {
            assert_eq!(decision(content_type).decide_early(start).as_deref(), expected, "{content_type:?}");
        }
    }

    #[test]
    fn types_that_must_be_complete_are_not_streamed() {
        let decision = decision(None);
        assert!(!decision.may_stream("image/gif") && !decision.may_stream("Image/GIF; x=y"));
        assert!(decision.may_stream("image/png") && decision.may_stream("image/gifs"));
    }
}
