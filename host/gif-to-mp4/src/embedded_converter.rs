//! The converter that needs no other program: it encodes with OpenH264.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::animation::Animation;
use crate::convert_error::ConvertError;
use crate::convert_gifs::{ConvertGifs, Converted};
use crate::converter::Converter;
use crate::deadline::Deadline;
use crate::h264_encoder::H264Encoder;
use crate::limits::Limits;
use crate::mp4::Video;
use crate::pictures::Pictures;
use crate::workers::{self, Workers};
use crate::yuv::VideoFormat;

/// Converts with the encoder that is linked into the program, at most one job per core at a time.
#[derive(Debug, Default)]
pub struct EmbeddedConverter {
    limits: Limits,
    workers: Workers,
}

impl EmbeddedConverter {
    /// A converter with these limits for each conversion.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, workers: Workers::default() }
    }
}

impl Converter for EmbeddedConverter {
    fn max_input_bytes(&self) -> u64 {
        self.limits.input_bytes as u64
    }

    fn convert(&self, gif: Bytes, which: ConvertGifs) -> BoxFuture<'_, Result<Converted, ConvertError>> {
        Box::pin(async move {
            if which == ConvertGifs::Never {
                return Ok(Converted::Keep);
            }
            self.limits.check_input(gif.len())?;
            let permit = self.workers.acquire().await?;
            let limits = self.limits;
            workers::run(limits.wall_time, move |deadline| {
                // The job holds the permit, not the future: an abandoned job uses its core until its next check.
                let _permit = permit;
                gif_to_mp4(&gif, which, &limits, deadline)
            })
            .await
        })
    }
}

/// Converts a GIF on the calling thread, if `which` selects it.
///
/// Frames are streamed: besides the two files, memory holds one canvas, one picture and the state of the encoder.
///
/// # Errors
/// See [`ConvertError`]. The deadline is checked between frames.
pub fn gif_to_mp4(gif: &[u8], which: ConvertGifs, limits: &Limits, deadline: &Deadline) -> Result<Converted, ConvertError> {
    let animation = Animation::inspect(gif, limits, deadline)?;
    if which.keeps(animation.info.delays.len()) {
        return Ok(Converted::Keep);
    }
    let limits = which.limits(gif.len(), limits);
    which.choose(gif.len(), &limits, encode(gif, &animation, &limits, deadline))
}

fn encode(gif: &[u8], animation: &Animation, limits: &Limits, deadline: &Deadline) -> Result<Video, ConvertError> {
    let format = VideoFormat::for_canvas(animation.info.width, animation.info.height);
    let mut encoder = H264Encoder::new(format, limits)?;
    let mut pictures = Pictures::new(gif, animation, format)?;
    while let Some(picture) = pictures.next(deadline)? {
        encoder.encode(picture)?;
    }
    Video::write(&encoder.finish(), format, &pictures.finish())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gif::{DisposalMethod, Frame};

    use super::*;
    use crate::level::Level;
    use crate::test_support::{PALETTE, Picture, VideoFile, flat, gif, no_deadline, video};
    use crate::yuv::I420;

    /// Converts within the default limits, except for the time limit: a test may run on a busy machine.
    fn convert(gif: &[u8]) -> Result<Vec<u8>, ConvertError> {
        video(gif_to_mp4(gif, ConvertGifs::Always, &Limits::default(), &no_deadline()))
    }

    #[track_caller]
    fn assert_close(seen: [u8; 3], expected: [u8; 3]) {
        let difference = seen.iter().zip(expected).map(|(&seen, expected)| seen.abs_diff(expected)).max();
        assert!(difference <= Some(8), "{seen:?} is not close to {expected:?}");
    }

    fn colour(index: u8) -> [u8; 3] {
        let start = usize::from(index) * 3;
        [PALETTE[start], PALETTE[start + 1], PALETTE[start + 2]]
    }

    fn size(picture: &Picture) -> (usize, usize) {
        (picture.width, picture.height())
    }

    #[test]
    fn each_frame_is_shown_as_long_as_in_a_browser() {
        let delays = [0, 1, 2, 3, 7, 10, 333, 65_535, 11];
        let frames: Vec<_> = delays.iter().zip(0..).map(|(&delay, number)| flat(32, 32, number % 2, delay)).collect();
        let video = VideoFile::read(convert(&gif(32, 32, &frames)).unwrap());
        assert_eq!(video.durations(), [10, 10, 2, 3, 7, 10, 333, 65_535, 11]);
        assert_eq!(video.pictures().len(), 9);
    }

    #[test]
    fn frames_keep_their_colours_and_none_is_dropped() {
        let frames: Vec<_> = (0..40).map(|number| flat(64, 48, number % 4, 3)).collect();
        let video = VideoFile::read(convert(&gif(64, 48, &frames)).unwrap());
        let pictures = video.pictures();
        assert_eq!(pictures.len(), 40);
        for (picture, number) in pictures.iter().zip(0..) {
            assert_eq!(size(picture), (64, 48));
            for (x, y) in [(0, 0), (63, 47), (31, 20)] {
                assert_close(picture.rgb601(x, y), colour(number % 4));
            }
        }
    }

    #[test]
    fn detailed_picture_keeps_over_35_decibels() {
        let palette: Vec<u8> = (0..=255).flat_map(|value| [value, 255 - value, value / 2]).collect();
        let ramp = |shift: usize| -> Vec<u8> {
            (0..160 * 120).map(|at| ((((at % 160 + shift) * (at / 160 + 20)) / 40) % 256) as u8).collect()
        };
        let frame = |shift| Frame { palette: Some(palette.clone()), buffer: ramp(shift).into(), ..flat(160, 120, 0, 4) };
        let file = gif(160, 120, &[frame(0), frame(3), frame(6)]);
        let pictures = VideoFile::read(convert(&file).unwrap()).pictures();

        let animation = Animation::inspect(&file, &Limits::default(), &no_deadline()).unwrap();
        let mut frames = animation.frames(&file).unwrap();
        let mut source = I420::new(VideoFormat::for_canvas(160, 120));
        for picture in pictures {
            source.convert(frames.next_canvas().unwrap().unwrap());
            let errors = picture.luma().iter().zip(source.planes().0).map(|(&a, &b)| f64::from(a.abs_diff(b)).powi(2));
            let mean = errors.sum::<f64>() / (160.0 * 120.0);
            let decibels = 10.0 * (255.0 * 255.0 / mean).log10();
            assert!(decibels > 35.0, "{decibels}");
        }
    }

    #[test]
    fn offsets_transparency_and_disposal_show_in_the_video() {
        let quarter = |left, dispose| Frame { left, top: 32, dispose, ..flat(32, 32, 2, 5) };
        let transparent = Frame { transparent: Some(3), ..flat(64, 64, 3, 5) };
        let file = gif(
            64,
            64,
            &[flat(64, 64, 0, 5), quarter(0, DisposalMethod::Background), quarter(32, DisposalMethod::Previous), transparent],
        );
        let pictures = VideoFile::read(convert(&file).unwrap()).pictures();
        let corners = |picture: &Picture| [(4, 4), (4, 60), (60, 60)].map(|(x, y)| picture.rgb601(x, y));
        let (red, blue, white) = (colour(0), colour(2), colour(3));
        let expected = [[red, red, red], [red, blue, red], [red, white, blue], [red, white, red]];
        for (picture, expected) in pictures.iter().zip(expected) {
            for (seen, expected) in corners(picture).into_iter().zip(expected) {
                assert_close(seen, expected);
            }
        }
    }

    #[test]
    fn odd_or_tiny_canvas_is_padded_with_its_edge_pixels() {
        for ((width, height), expected) in [((1, 1), (16, 16)), ((33, 17), (34, 18)), ((2, 300), (16, 300))] {
            let video = VideoFile::read(convert(&gif(width, height, &[flat(width, height, 1, 5)])).unwrap());
            let pictures = video.pictures();
            assert_eq!(size(&pictures[0]), expected);
            assert_close(pictures[0].rgb601(expected.0 - 1, expected.1 - 1), colour(1));
        }
    }

    #[test]
    fn conversion_and_tag_use_the_matrix_for_the_height() {
        let video = |height| VideoFile::read(convert(&gif(32, height, &[flat(32, height, 1, 5)])).unwrap());
        let (low, high) = (video(718), video(720));
        assert_eq!((low.colour()[5], high.colour()[5]), (6, 1));
        assert_close(low.pictures()[0].rgb601(3, 3), colour(1));
        assert_close(high.pictures()[0].rgb709(3, 3), colour(1));
    }

    #[test]
    fn widest_highest_and_largest_pictures_are_encoded_at_a_level_that_allows_them() {
        for (width, height) in
            [(3840, 1470), (1470, 3840), (1080, 2340), (1440, 3200), (2160, 2616), (3840, 1), (1, 3840), (32, 32)]
        {
            let file = gif(width, height, &[flat(width, height, 0, 5)]);
            let video = VideoFile::read(convert(&file).unwrap());
            let level = Level::of(VideoFormat::for_canvas(width, height)).unwrap();
            assert!(video.level() >= level.0, "{width}x{height}: {} instead of {level:?}", video.level());
            let pictures = video.pictures();
            assert_eq!(size(&pictures[0]), (usize::from(width).max(16), usize::from(height).max(16)));
        }
    }

    #[test]
    fn long_animation_has_a_keyframe_every_250_frames() {
        let frames: Vec<_> = (0..600_u16).map(|number| flat(16, 16, u8::from(number % 2 == 1), 2)).collect();
        let video = VideoFile::read(convert(&gif(16, 16, &frames)).unwrap());
        let mut distance = 250;
        for sample in &video.track().samples {
            distance = if sample.is_sync { 0 } else { distance + 1 };
            assert!(distance < 250, "frame {}", sample.id);
        }
        assert_eq!(video.track().samples.len(), 600);
    }

    #[test]
    fn identical_frames_are_merged_into_one_sample_with_the_total_duration() {
        let frames = [(1, 5), (1, 65_535), (1, 65_535), (2, 7), (2, 8), (1, 9)].map(|(index, delay)| flat(32, 32, index, delay));
        let video = VideoFile::read(convert(&gif(32, 32, &frames)).unwrap());
        assert_eq!(video.durations(), [5 + 65_535 + 65_535, 7 + 8, 9]);
        for (picture, index) in video.pictures().iter().zip([1, 2, 1]) {
            assert_close(picture.rgb601(3, 3), colour(index));
        }
    }

    #[test]
    fn same_gif_gives_the_same_bytes() {
        let file = gif(20, 20, &[flat(20, 20, 1, 5), flat(20, 20, 2, 5)]);
        assert_eq!(convert(&file).unwrap(), convert(&file).unwrap());
    }

    #[test]
    fn hostile_file_is_rejected_without_being_decoded() {
        // Frames of a single colour: many pixels in few bytes.
        let bomb = gif(1, 1, &vec![flat(1900, 1000, 0, 5); 200]);
        assert!(bomb.len() < 3 << 20);
        let limits = Limits { composited_pixels: 300_000_000, ..Limits::default() };
        let rejected = gif_to_mp4(&bomb, ConvertGifs::Always, &limits, &no_deadline());
        let rejection = rejected.unwrap_err().to_string();
        assert_eq!(rejection, "frame 158 brings the total to 300200000 composited pixels; the limit is 300000000");
        let rejection = convert(&gif(10_000, 10_000, &[flat(1, 1, 0, 5)])).unwrap_err().to_string();
        assert_eq!(rejection, "an image of 10000x10000 is wider or higher than 3840 pixels");
        let square = convert(&gif(2200, 2200, &[flat(1, 1, 0, 5)])).unwrap_err();
        let expected = "the embedded encoder does not support pictures of 2200x2200 pixels: the limit is 3840x2160 or 2160x3840";
        assert_eq!((square.to_string().as_str(), square.name()), (expected, "too-large-for-encoder"));
        assert!(matches!(convert(b"GIF90a, says the name"), Err(ConvertError::Malformed(_))));
    }

    #[test]
    fn video_over_the_size_limit_is_rejected() {
        let limits = Limits { output_bytes: 10, ..Limits::default() };
        let rejected = gif_to_mp4(&gif(64, 64, &[flat(64, 64, 1, 5)]), ConvertGifs::Always, &limits, &no_deadline());
        assert!(matches!(rejected, Err(ConvertError::OutputTooLarge { limit: 10, .. })));
    }

    async fn converted(converter: &EmbeddedConverter, gif: Vec<u8>) -> Result<Vec<u8>, ConvertError> {
        video(converter.convert(gif.into(), ConvertGifs::Always).await)
    }

    #[tokio::test]
    async fn more_jobs_than_cores_finish() {
        let converter = EmbeddedConverter::new(Limits { wall_time: Duration::from_secs(600), ..Limits::default() });
        let file = gif(32, 32, &[flat(32, 32, 1, 5), flat(32, 32, 2, 6)]);
        let expected = convert(&file).unwrap();
        let jobs = (0..50).map(|_| converted(&converter, file.clone()));
        for done in futures::future::join_all(jobs).await {
            assert!(done.unwrap() == expected);
        }
    }

    #[tokio::test]
    async fn job_over_the_time_limit_is_stopped() {
        let converter = EmbeddedConverter::new(Limits { wall_time: Duration::from_millis(50), ..Limits::default() });
        let rejected = converted(&converter, gif(1000, 1000, &vec![flat(1000, 1000, 1, 5); 250])).await;
        assert!(matches!(rejected, Err(ConvertError::TimedOut { .. })));
    }
}
