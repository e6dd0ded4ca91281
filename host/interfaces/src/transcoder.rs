//! The interface for converting media before it is stored.

use futures::future::BoxFuture;

use crate::blob::Blob;

/// Why media was not converted. It is then stored unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TranscodeError {
    /// A short name for this kind of failure, in lower case with hyphens. It is used in metrics.
    pub name: &'static str,
    /// What failed, with the relevant numbers and limits, for people.
    pub message: String,
}

/// Media that may be converted.
#[derive(Clone, Debug)]
pub struct Original<'a> {
    /// The whole body.
    pub body: Blob,
    /// The media type, one of the [accepted ones](Transcoder::accepted_types).
    pub mimetype: &'a str,
    /// The URL that the media was downloaded from or uploaded for, if the host knows the URL. It may contain secrets.
    pub url: Option<&'a str>,
}

/// The outcome of a successful [`Transcoder::transcode`].
#[derive(Clone, Debug)]
pub enum Transcoded {
    /// Store these bytes instead.
    Converted(Conversion),
    /// Store the media unchanged.
    Keep,
}

/// Converted media.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// The new bytes, at least one.
    pub body: Blob,
    /// The media type of the new bytes, such as `video/mp4`.
    pub mimetype: String,
    /// The file extension for this type, without a dot, such as `mp4`: 1 to 16 ASCII letters and digits.
    pub extension: String,
}

/// Converts media of some types, such as GIFs to MP4 videos.
pub trait Transcoder: Send + Sync + 'static {
    /// The media types that [`transcode`](Self::transcode) accepts, in lower case and without parameters. The list must always be the same.
    fn accepted_types(&self) -> Vec<String>;

    /// Converts media of an accepted type. The cache sets no time limit, so the transcoder must set one. Dropping the future must cancel
    /// the work.
    ///
    /// # Errors
    /// See [`TranscodeError`]. The media is then stored unchanged. The cache logs the failure at level `debug`, without the URL; a
    /// transcoder that wraps another can log more.
    fn transcode<'a>(&'a self, original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>>;
}

/// A transcoder that converts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTranscoder;

impl Transcoder for NoTranscoder {
    fn accepted_types(&self) -> Vec<String> {
        Vec::new()
    }

    fn transcode<'a>(&'a self, _original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        Box::pin(async { Err(TranscodeError { name: "disabled", message: "transcoding is disabled".into() }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn disabled_transcoder_accepts_no_types_and_fails_as_disabled() {
        assert!(NoTranscoder.accepted_types().is_empty());
        let original = Original { body: Blob::from(b"GIF89a".to_vec()), mimetype: "image/gif", url: None };
        let error = NoTranscoder.transcode(original).await.unwrap_err();
        assert_eq!(error.name, "disabled");
    }
}
