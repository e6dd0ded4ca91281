//! The interface of all converters.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::convert_error::ConvertError;
use crate::convert_gifs::{ConvertGifs, Converted};

/// Converts GIFs to MP4 videos.
pub trait Converter: Send + Sync + 'static {
    /// Converts a whole GIF to a whole MP4 file, if `which` selects it: one H.264 track without sound, `moov` before `mdat`. If a GIF is
    /// kept for a reason other than the size of its video, none of its frames is decoded.
    ///
    /// Dropping the future abandons the work.
    ///
    /// # Errors
    /// See [`ConvertError`].
    fn convert(&self, gif: Bytes, which: ConvertGifs) -> BoxFuture<'_, Result<Converted, ConvertError>>;

    /// The maximum size of a GIF that this converter reads, in bytes.
    fn max_input_bytes(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_cache_test_skip as skip;

    use super::*;
    use crate::ffmpeg_converter::FfmpegConverter;
    use crate::limits::Limits;
    use crate::test_support::{VideoFile, flat, gif, noise};

    fn limits() -> Limits {
        Limits { wall_time: Duration::from_secs(600), ..Limits::default() }
    }

    /// The number of frames of the video, or `None` if the GIF is kept.
    async fn frames(converter: &impl Converter, gif: &[u8], which: ConvertGifs) -> Option<usize> {
        match converter.convert(gif.to_vec().into(), which).await.unwrap() {
            Converted::Video(video) => Some(VideoFile::read(video).track().samples.len()),
            Converted::Keep => None,
        }
    }

    /// Checks which of four GIFs are converted: a still image, one whose video is smaller, one whose video is larger, and one whose second
    /// frame is cut off.
    async fn check(converter: &impl Converter) {
        let still = gif(16, 16, &[flat(16, 16, 1, 5)]);
        // All pixels except the first stay the same.
        let almost_the_same = (0..40).map(|number| {
            let mut frame = noise(96, 96, 1);
            frame.buffer.to_mut()[0] = number % 2;
            frame
        });
        let repetitive = gif(96, 96, &almost_the_same.collect::<Vec<_>>());
        let noisy = gif(96, 96, &(0..8).map(|seed| noise(96, 96, seed)).collect::<Vec<_>>());
        let mut cut = gif(64, 64, &[noise(64, 64, 1), noise(64, 64, 2)]);
        cut.truncate(cut.len() - 100);
        for (which, expected) in [
            (ConvertGifs::Always, [Some(1), Some(40), Some(8), Some(1)]),
            (ConvertGifs::Animated, [None, Some(40), Some(8), None]),
            (ConvertGifs::Smaller, [None, Some(40), None, None]),
            (ConvertGifs::Never, [None; 4]),
        ] {
            for ((name, gif), expected) in
                [("still", &still), ("repetitive", &repetitive), ("noisy", &noisy), ("cut", &cut)].into_iter().zip(expected)
            {
                assert_eq!(frames(converter, gif, which).await, expected, "{name}, {which:?}");
            }
        }
        assert_eq!(converter.convert(b"not a GIF"[..].into(), ConvertGifs::Never).await.unwrap(), Converted::Keep);
        for which in [ConvertGifs::Always, ConvertGifs::Animated, ConvertGifs::Smaller] {
            assert!(matches!(converter.convert(b"not a GIF"[..].into(), which).await, Err(ConvertError::Malformed(_))));
        }
    }

    #[cfg(feature = "openh264")]
    #[tokio::test]
    async fn embedded_converter_converts_only_the_selected_gifs() {
        check(&crate::embedded_converter::EmbeddedConverter::new(limits())).await;
    }

    #[tokio::test]
    async fn ffmpeg_converter_converts_only_the_selected_gifs() {
        if !skip::unless_installed("ffmpeg") {
            check(&FfmpegConverter::new("ffmpeg".into(), limits())).await;
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn keeping_a_gif_starts_no_process() {
        let converter = FfmpegConverter::new("no-such-ffmpeg".into(), limits());
        let still = gif(16, 16, &[flat(16, 16, 1, 5)]);
        assert_eq!(frames(&converter, &still, ConvertGifs::Animated).await, None);
        assert!(matches!(converter.convert(still.into(), ConvertGifs::Always).await, Err(ConvertError::Ffmpeg(_))));
    }
}
