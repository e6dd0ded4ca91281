//! What converts media before it is stored.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::blob::Blob;

/// Why media was not converted. It is then stored as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TranscodeError {
    /// A short name for this kind of failure, lower case with hyphens, as metrics show it.
    pub name: &'static str,
    /// What failed, with which numbers and limits.
    pub message: String,
}

/// The outcome of a successful [`Transcoder::transcode`].
#[derive(Clone, Debug)]
pub enum Transcoded {
    /// Store this instead.
    Converted(Conversion),
    /// Store the media as it is.
    Keep,
}

/// Converted media.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The new bytes.
    pub body: Blob,
    /// Their media type, such as `video/mp4`.
    pub mimetype: String,
    /// Their file extension, without a dot, such as `mp4`.
    pub extension: String,
}

/// Converts media of some types, such as GIFs to MP4 videos.
pub trait Transcoder: Send + Sync + 'static {
    /// The media types that [`transcode`](Self::transcode) accepts, in lower case and without parameters. Always the same.
    fn accepted_types(&self) -> Vec<String>;

    /// Converts a whole body, whose media type is one of the accepted ones.
    ///
    /// Dropping the future abandons the work.
    ///
    /// # Errors
    /// See [`TranscodeError`]; the media itself is then what is stored.
    fn transcode<'a>(&'a self, body: Bytes, mimetype: &'a str) -> BoxFuture<'a, Result<Transcoded, TranscodeError>>;

    /// The largest body, in bytes, that is worth reading for this transcoder. No limit unless it says so.
    fn max_input_bytes(&self) -> u64 {
        u64::MAX
    }
}

/// The transcoder of a host that converts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTranscoder;

impl Transcoder for NoTranscoder {
    fn accepted_types(&self) -> Vec<String> {
        Vec::new()
    }

    fn transcode<'a>(&'a self, _body: Bytes, _mimetype: &'a str) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        Box::pin(async { Err(TranscodeError { name: "disabled", message: "transcoding is disabled".into() }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_transcoder_accepts_nothing_and_says_that_transcoding_is_disabled() {
        assert!(NoTranscoder.accepted_types().is_empty());
        let error = NoTranscoder.transcode(Bytes::from_static(b"GIF89a"), "image/gif").await.unwrap_err();
        assert_eq!(error.name, "disabled");
    }
}
