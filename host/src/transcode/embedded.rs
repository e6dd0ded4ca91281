//! The transcoder that needs nothing but this program.

use bytes::Bytes;
use futures::future::BoxFuture;

use super::frames::Frames;
use super::h264::H264Encoder;
use super::survey::Survey;
use super::workers::{self, Workers};
use super::yuv::{I420, VideoFormat};
use super::{Deadline, Limits, TranscodeError, Transcoder, mp4};

/// Transcodes with the encoder that is linked into the host, at most one job a core at a time.
#[derive(Debug, Default)]
pub struct EmbeddedTranscoder {
    limits: Limits,
    workers: Workers,
}

impl EmbeddedTranscoder {
    /// A transcoder whose jobs may cost this much each.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, workers: Workers::default() }
    }
}

impl Transcoder for EmbeddedTranscoder {
    fn max_input_bytes(&self) -> u64 {
        self.limits.input_bytes as u64
    }

    fn gif_to_mp4(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>> {
        Box::pin(async move {
            self.limits.check_input(gif.len())?;
            let slot = self.workers.slot().await?;
            let limits = self.limits;
            workers::run(limits.wall_time, move |deadline| {
                // Held by the thread rather than the future: an abandoned job keeps its core busy until it notices.
                let _slot = slot;
                gif_to_mp4(&gif, &limits, deadline)
            })
            .await
        })
    }
}

/// Transcodes a GIF on the calling thread.
///
/// Frames stream through: besides the two files, memory holds one canvas, one picture and what the encoder needs for itself.
///
/// # Errors
///
/// See [`TranscodeError`]. The deadline is looked at between frames.
pub fn gif_to_mp4(gif: &[u8], limits: &Limits, deadline: &Deadline) -> Result<Vec<u8>, TranscodeError> {
    let survey = Survey::of(gif, limits, deadline)?;
    let format = VideoFormat::for_canvas(survey.width, survey.height);
    let mut frames = Frames::of(gif, &survey)?;
    let mut encoder = H264Encoder::new(format.matrix, limits)?;
    let mut picture = I420::new(format);
    while let Some(canvas) = frames.next_canvas()? {
        deadline.check()?;
        picture.convert(canvas);
        encoder.encode(&picture)?;
    }
    mp4::write(&encoder.finish(), format, &survey.delays)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gif::{DisposalMethod, Frame};

    use super::super::testing::{PALETTE, Picture, Video, flat, gif, no_hurry, transcode};
    use super::*;

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
    fn each_frame_is_shown_exactly_as_long_as_in_a_browser() {
        let frames = [0, 1, 2, 3, 7, 10, 333, 65_535, 11].map(|delay| flat(32, 32, 1, delay));
        let video = Video::read(transcode(&gif(32, 32, &frames)).unwrap());
        assert_eq!(video.durations(), [10, 10, 2, 3, 7, 10, 333, 65_535, 11]);
        assert_eq!(video.pictures().len(), 9);
    }

    #[test]
    fn flat_frames_keep_their_colours_and_none_is_dropped() {
        let frames: Vec<_> = (0..40).map(|number| flat(64, 48, number % 4, 3)).collect();
        let video = Video::read(transcode(&gif(64, 48, &frames)).unwrap());
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
    fn a_busy_picture_keeps_over_35_decibels() {
        let palette: Vec<u8> = (0..=255).flat_map(|value| [value, 255 - value, value / 2]).collect();
        let ramp = |shift: usize| -> Vec<u8> {
            (0..160 * 120).map(|at| ((((at % 160 + shift) * (at / 160 + 20)) / 40) % 256) as u8).collect()
        };
        let frame = |shift| Frame { palette: Some(palette.clone()), buffer: ramp(shift).into(), ..flat(160, 120, 0, 4) };
        let file = gif(160, 120, &[frame(0), frame(3), frame(6)]);
        let pictures = Video::read(transcode(&file).unwrap()).pictures();

        let survey = Survey::of(&file, &Limits::default(), &no_hurry()).unwrap();
        let mut frames = Frames::of(&file, &survey).unwrap();
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
    fn offsets_transparency_and_disposal_are_seen_in_the_video() {
        let quarter = |left, dispose| Frame { left, top: 32, dispose, ..flat(32, 32, 2, 5) };
        let transparent = Frame { transparent: Some(3), ..flat(64, 64, 3, 5) };
        let file = gif(
            64,
            64,
            &[flat(64, 64, 0, 5), quarter(0, DisposalMethod::Background), quarter(32, DisposalMethod::Previous), transparent],
        );
        let pictures = Video::read(transcode(&file).unwrap()).pictures();
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
    fn odd_and_tiny_sizes_are_filled_up_with_their_own_edge() {
        for ((width, height), expected) in [((1, 1), (16, 16)), ((33, 17), (34, 18)), ((2, 300), (16, 300))] {
            let video = Video::read(transcode(&gif(width, height, &[flat(width, height, 1, 5)])).unwrap());
            let pictures = video.pictures();
            assert_eq!(size(&pictures[0]), expected);
            assert_close(pictures[0].rgb601(expected.0 - 1, expected.1 - 1), colour(1));
        }
    }

    #[test]
    fn the_matrix_follows_the_height_in_conversion_and_tag() {
        let video = |height| Video::read(transcode(&gif(32, height, &[flat(32, height, 1, 5)])).unwrap());
        let (low, high) = (video(718), video(720));
        assert_eq!((low.colour()[5], high.colour()[5]), (6, 1));
        assert_close(low.pictures()[0].rgb601(3, 3), colour(1));
        assert_close(high.pictures()[0].rgb709(3, 3), colour(1));
    }

    #[test]
    fn the_longest_sides_and_the_largest_picture_are_encoded() {
        for (width, height) in [(3840, 540), (540, 3840), (1920, 1080), (3840, 1), (1, 3840)] {
            let file = gif(width, height, &[flat(width, height, 0, 5)]);
            let pictures = Video::read(transcode(&file).unwrap()).pictures();
            assert_eq!(size(&pictures[0]), (usize::from(width).max(16), usize::from(height).max(16)));
        }
    }

    #[test]
    fn a_long_animation_has_a_keyframe_at_least_every_250_frames() {
        let video = Video::read(transcode(&gif(16, 16, &vec![flat(16, 16, 1, 2); 600])).unwrap());
        let mut distance = 250;
        for sample in &video.track().samples {
            distance = if sample.is_sync { 0 } else { distance + 1 };
            assert!(distance < 250, "frame {}", sample.id);
        }
        assert_eq!(video.track().samples.len(), 600);
    }

    #[test]
    fn the_same_gif_gives_the_same_bytes() {
        let file = gif(20, 20, &[flat(20, 20, 1, 5), flat(20, 20, 2, 5)]);
        assert_eq!(transcode(&file).unwrap(), transcode(&file).unwrap());
    }

    #[test]
    fn hostile_files_are_refused_without_decoding_them() {
        // Flat frames: many pixels in few bytes.
        let bomb = gif(1, 1, &vec![flat(1900, 1000, 0, 5); 200]);
        assert!(bomb.len() < 3 << 20);
        let refused = transcode(&bomb).unwrap_err().to_string();
        assert_eq!(refused, "frame 158 brings the work to 300200000 composited pixels, the limit is 300000000");
        let refused = transcode(&gif(10_000, 10_000, &[flat(1, 1, 0, 5)])).unwrap_err().to_string();
        assert_eq!(refused, "an image of 10000x10000 has a side over 3840 pixels");
        assert!(matches!(transcode(b"GIF90a, says the name"), Err(TranscodeError::Malformed(_))));
    }

    #[test]
    fn a_video_over_the_limit_is_refused() {
        let limits = Limits { output_bytes: 10, ..Limits::default() };
        let refused = gif_to_mp4(&gif(64, 64, &[flat(64, 64, 1, 5)]), &limits, &no_hurry());
        assert!(matches!(refused, Err(TranscodeError::OutputTooLarge { limit: 10, .. })));
    }

    #[tokio::test]
    async fn more_jobs_than_cores_all_finish() {
        let transcoder = EmbeddedTranscoder::new(Limits { wall_time: Duration::from_secs(600), ..Limits::default() });
        let file = Bytes::from(gif(32, 32, &[flat(32, 32, 1, 5), flat(32, 32, 2, 6)]));
        let expected = transcode(&file).unwrap();
        let jobs = (0..50).map(|_| transcoder.gif_to_mp4(file.clone()));
        for done in futures::future::join_all(jobs).await {
            assert!(done.unwrap() == expected);
        }
    }

    #[tokio::test]
    async fn a_job_that_takes_too_long_is_stopped() {
        let transcoder = EmbeddedTranscoder::new(Limits { wall_time: Duration::from_millis(50), ..Limits::default() });
        let refused = transcoder.gif_to_mp4(gif(1000, 1000, &vec![flat(1000, 1000, 1, 5); 250]).into()).await;
        assert!(matches!(refused, Err(TranscodeError::TimedOut { .. })));
    }
}
