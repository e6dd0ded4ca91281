//! Why a GIF was not converted. Each message states the problem, the number that is too large and the limit that it exceeds.

use std::time::Duration;

/// Why a GIF was not converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The bytes are not a GIF, or a GIF that is truncated or otherwise malformed.
    #[error("not a well-formed GIF: {0}")]
    Malformed(String),
    /// The GIF has no image.
    #[error("the GIF has no frames")]
    NoFrames,
    /// The file is too large to be read.
    #[error("the GIF has {bytes} bytes; the limit is {limit}")]
    InputTooLarge {
        /// Size of the file in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The canvas, or the rectangle of a frame, is too wide or too high.
    #[error("an image of {width}x{height} is wider or higher than {limit} pixels")]
    SideTooLong {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit for width and height in pixels.
        limit: u16,
    },
    /// The canvas, or the rectangle of a frame, has too many pixels.
    #[error("an image of {width}x{height} has {} pixels; the limit is {limit}", u64::from(*width) * u64::from(*height))]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in pixels.
        limit: u64,
    },
    /// No level of H.264 allows a video of this size, whatever the limits are.
    #[error(
        "no level of H.264 allows {width}x{height} pixels: the limits are 36864 macroblocks, and 8688 pixels in width and height"
    )]
    NoLevel {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
    },
    /// The embedded encoder does not support videos of this size, whatever the limits are.
    #[error("the embedded encoder does not support pictures of {width}x{height} pixels: the limit is 3840x2160 or 2160x3840")]
    TooLargeForEncoder {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The animation has too many frames. They are counted only up to the limit.
    #[error("the GIF has more than {limit} frames")]
    TooManyFrames {
        /// The limit.
        limit: usize,
    },
    /// Compositing and encoding all frames would take too much work. Their pixels are summed only until the limit is exceeded.
    #[error("frame {frame} brings the total to {pixels} composited pixels; the limit is {limit}")]
    TooMuchWork {
        /// The frame, counted from 1, that exceeds the limit.
        frame: usize,
        /// Pixels to composite up to and including that frame.
        pixels: u64,
        /// The limit in pixels.
        limit: u64,
    },
    /// The video is too large.
    #[error("the video has grown to {bytes} bytes; the limit is {limit}")]
    OutputTooLarge {
        /// Size of the encoded frames so far in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The job ran for too long.
    #[error("not finished within the time limit of {limit:?}")]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// The caller no longer waits for the result.
    #[error("abandoned by the caller")]
    Abandoned,
    /// The H.264 encoder or the MP4 writer failed.
    #[error("encoding failed: {0}")]
    Encoder(String),
    /// The `ffmpeg` process did not start or failed.
    #[error("ffmpeg: {0}")]
    Ffmpeg(String),
}

impl ConvertError {
    /// The name of this kind of failure in metrics, in kebab case.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NoFrames => "no-frames",
            Self::InputTooLarge { .. } => "input-too-large",
            Self::SideTooLong { .. } => "side-too-long",
            Self::TooManyPixels { .. } => "too-many-pixels",
            Self::NoLevel { .. } => "no-level",
            Self::TooLargeForEncoder { .. } => "too-large-for-encoder",
            Self::TooManyFrames { .. } => "too-many-frames",
            Self::TooMuchWork { .. } => "too-much-work",
            Self::OutputTooLarge { .. } => "output-too-large",
            Self::TimedOut { .. } => "timed-out",
            Self::Abandoned => "abandoned",
            Self::Encoder(_) => "encoder",
            Self::Ffmpeg(_) => "ffmpeg",
        }
    }
}
