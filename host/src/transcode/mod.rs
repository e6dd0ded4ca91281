//! GIF in, MP4 out: a chat client plays the same animation from a file that is several times smaller and decoded in hardware.
//!
//! The input is whatever a stranger uploaded, so every transcoder here keeps four promises:
//!
//! * the [`Limits`] are checked on the headers, before any memory is spent on pixels, and the wall time between frames;
//! * a broken or hostile file ends in a [`TranscodeError`], never in a panic, and only code in memory-safe Rust reads it;
//! * every frame becomes one sample that lasts exactly as long as browsers show it, the last one too;
//! * the same GIF gives the same bytes, as long as the encoder is the same.
//!
//! The path a file takes, one stage a file: `survey` reads the headers, `frames` decodes and composites, `yuv` converts,
//! `h264` or `ffmpeg` encodes, `bitstream` collects what they emit, `mp4` writes it.

mod bitstream;
mod canvas;
mod embedded;
mod error;
mod ffmpeg;
mod frames;
mod h264;
mod limits;
mod mp4;
mod survey;
#[cfg(test)]
mod testing;
mod workers;
mod yuv;

use bytes::Bytes;
use futures::future::BoxFuture;

pub use embedded::{EmbeddedTranscoder, gif_to_mp4};
pub use error::TranscodeError;
pub use ffmpeg::FfmpegTranscoder;
pub use limits::{Deadline, Limits};

/// Something that turns an animated GIF into an MP4 file.
pub trait Transcoder: Send + Sync + 'static {
    /// Transcodes a whole GIF into a whole MP4 file: one H.264 track without sound, `moov` before `mdat`.
    ///
    /// Dropping the future abandons the work.
    ///
    /// # Errors
    ///
    /// See [`TranscodeError`]; whatever the error, the GIF itself is still what the caller has to serve.
    fn gif_to_mp4(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>>;

    /// The largest GIF, in bytes, that is worth reading for this transcoder. No limit unless it says so.
    fn max_input_bytes(&self) -> u64 {
        u64::MAX
    }
}

/// The transcoder of a host that does not transcode.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTranscoder;

impl Transcoder for NoTranscoder {
    fn gif_to_mp4(&self, _gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>> {
        Box::pin(async { Err(TranscodeError::Disabled) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_transcoder_says_that_transcoding_is_disabled() {
        let refused = NoTranscoder.gif_to_mp4(Bytes::from_static(b"GIF89a")).await;
        assert!(matches!(refused, Err(TranscodeError::Disabled)));
    }
}
