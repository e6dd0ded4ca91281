//! Which GIFs are converted to MP4, by which converter, and with which limits.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use media_cache::gif::converters::{Converter, EmbeddedConverter, FfmpegConverter};
use media_cache::gif::{ConvertGifs, GifTranscoder, Limits};
use media_cache::{NoTranscoder, Transcoder};
use tokio::process::Command;

use crate::storage::MIB;

/// The external program that converts GIFs, for `--transcoder ffmpeg`.
const FFMPEG: &str = "ffmpeg";

/// How long that program may take to print its version.
const CHECK_TIME: Duration = Duration::from_secs(10);

/// Pixels in a megapixel.
const MILLION: u64 = 1_000_000;

/// The maximum number of pixels of an H.264 picture, and its maximum width and height.
const MAX_PIXELS: u64 = 36_864 * 16 * 16;
const MAX_SIDE: i64 = 8_688;

/// Which GIFs are converted to MP4, for commands that store something.
#[derive(Args)]
#[command(next_help_heading = "GIFs")]
pub struct GifOptions {
    /// Which GIFs are converted to MP4: all (`always`), those with more than one frame (`animated`), those whose video is smaller
    /// (`smaller`), or none (`never`); the others are stored unchanged
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    gif: Which,
    /// The converter from GIF to MP4: `embedded` needs no other program, `ffmpeg` must be installed, `none` stores GIFs unchanged
    #[arg(long, value_enum, default_value_t)]
    transcoder: TranscoderName,
    /// The maximum size of a GIF that is converted, in MiB, from 1 to 1024
    #[arg(long, value_name = "MB", default_value_t = Limits::default().input_bytes as u64 / MIB, value_parser = range(1, 1024))]
    gif_max_mb: u64,
    /// The maximum number of pixels, width times height, of a GIF that is converted, up to 9437184; a conversion takes about 23 bytes of
    /// memory per pixel
    #[arg(long, value_name = "PIXELS", default_value_t = Limits::default().canvas_pixels, value_parser = range(1, MAX_PIXELS))]
    gif_max_pixels: u64,
    /// The maximum width and height of a GIF that is converted, in pixels, up to 8688; the embedded converter accepts at most 3840x2160
    #[arg(long, value_name = "PIXELS", default_value_t = Limits::default().side, value_parser = clap::value_parser!(u16).range(1..=MAX_SIDE))]
    gif_max_side: u16,
    /// The maximum number of frames of a GIF that is converted, up to 100000
    #[arg(long, value_name = "N", default_value_t = Limits::default().frames as u64, value_parser = range(1, 100_000))]
    gif_max_frames: u64,
    /// The maximum total number of pixels in all frames, in millions, up to 1000000; each frame counts as the whole canvas
    #[arg(long, value_name = "MILLIONS", default_value_t = Limits::default().composited_pixels / MILLION, value_parser = range(1, 1_000_000))]
    gif_max_megapixels: u64,
    /// The maximum size of the video that a GIF is converted to, in MiB, from 1 to 1024
    #[arg(long, value_name = "MB", default_value_t = Limits::default().output_bytes as u64 / MIB, value_parser = range(1, 1024))]
    gif_max_video_mb: u64,
    /// The maximum time for a conversion, in seconds, up to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().wall_time.as_secs(), value_parser = range(1, 3600))]
    gif_max_seconds: u64,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Which {
    #[default]
    Always,
    Animated,
    Smaller,
    Never,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum TranscoderName {
    #[default]
    Embedded,
    Ffmpeg,
    None,
}

impl GifOptions {
    /// The transcoder of these options.
    pub fn transcoder(&self) -> Arc<dyn Transcoder> {
        match self.transcoder {
            TranscoderName::Embedded => self.with(EmbeddedConverter::new(self.limits())),
            TranscoderName::Ffmpeg => self.with(FfmpegConverter::new(FFMPEG.into(), self.limits())),
            TranscoderName::None => Arc::new(NoTranscoder),
        }
    }

    /// The number of conversions that another program may perform at the same time.
    pub fn external_conversions(&self) -> usize {
        match (&self.gif, &self.transcoder) {
            (Which::Never, _) | (_, TranscoderName::Embedded | TranscoderName::None) => 0,
            // One per core runs.
            (_, TranscoderName::Ffmpeg) => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Checks that the transcoder's program, if it has one, can be run.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn check_converter(&self) -> anyhow::Result<()> {
        let TranscoderName::Ffmpeg = self.transcoder else { return Ok(()) };
        let mut version = Command::new(FFMPEG);
        version.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let finished = tokio::time::timeout(CHECK_TIME, version.status()).await.context("it did not exit");
        let status = finished.and_then(|status| Ok(status?)).and_then(|status| match status.success() {
            true => Ok(()),
            false => Err(anyhow::anyhow!("it exited with {status}")),
        });
        status.with_context(|| format!("--transcoder ffmpeg needs the program {FFMPEG}, which cannot be run"))
    }

    /// The maximum size of the video that a GIF is converted to, in MiB.
    pub fn max_video_mb(&self) -> u64 {
        self.gif_max_video_mb
    }

    fn with(&self, converter: impl Converter) -> Arc<dyn Transcoder> {
        Arc::new(GifTranscoder::new(converter).only(match self.gif {
            Which::Always => ConvertGifs::Always,
            Which::Animated => ConvertGifs::Animated,
            Which::Smaller => ConvertGifs::Smaller,
            Which::Never => ConvertGifs::Never,
        }))
    }

    fn limits(&self) -> Limits {
        Limits {
            input_bytes: saturating(self.gif_max_mb * MIB),
            canvas_pixels: self.gif_max_pixels,
            side: self.gif_max_side,
            frames: saturating(self.gif_max_frames),
            composited_pixels: self.gif_max_megapixels * MILLION,
            output_bytes: saturating(self.gif_max_video_mb * MIB),
            wall_time: Duration::from_secs(self.gif_max_seconds),
        }
    }
}

fn range(min: u64, max: u64) -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(min..=max)
}

fn saturating(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
