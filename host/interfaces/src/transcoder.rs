//! Converting media before it is stored.

use bytes::Bytes;
use futures::future::BoxFuture;

/// Why a GIF was not transcoded. The cache then stores the GIF itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TranscodeError {
    /// The name of this kind of failure in metrics, in kebab case.
    pub name: &'static str,
    /// What failed, with the numbers and limits involved.
    pub message: String,
}

/// Transcodes animated GIFs to MP4 videos.
pub trait Transcoder: Send + Sync + 'static {
    /// Transcodes a whole GIF to a whole MP4 file: one H.264 track without sound, `moov` before `mdat`.
    ///
    /// Dropping the future abandons the work.
    ///
    /// # Errors
    /// See [`TranscodeError`]; on any error the caller still has the GIF to serve.
    fn gif_to_mp4(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>>;

    /// The largest GIF, in bytes, that is worth reading for this transcoder. Unlimited by default.
    fn max_input_bytes(&self) -> u64 {
        u64::MAX
    }
}

/// The transcoder of a host that does not transcode.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTranscoder;

impl Transcoder for NoTranscoder {
    fn gif_to_mp4(&self, _gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>> {
        Box::pin(async { Err(TranscodeError { name: "disabled", message: "transcoding is disabled".into() }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_transcoder_reports_that_transcoding_is_disabled() {
        let error = NoTranscoder.gif_to_mp4(Bytes::from_static(b"GIF89a")).await.unwrap_err();
        assert_eq!(error.name, "disabled");
    }
}
