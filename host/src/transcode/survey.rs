//! The first pass over a GIF: its headers only. No image data is decompressed and nothing is allocated that grows with the size
//! of the picture, so a hostile file is refused for the price of walking through its blocks.
//!
//! What is left afterwards is a [`Survey`]: a GIF whose canvas, frame rectangles, frame count and total work are within the
//! [`Limits`], and how long each frame is shown. `frames` accepts a GIF only together with its survey.

use std::io::{Chain, Read};

use gif::{DecodeOptions, Decoder, DecodingError};

use super::{Deadline, Limits, TranscodeError};

/// A GIF's bytes, ended by a trailer even where the file forgot it.
pub(super) type GifBytes<'a> = Chain<&'a [u8], &'static [u8]>;

/// The block that ends a GIF.
const TRAILER: &[u8] = &[0x3b];

/// Delays below this, in hundredths of a second, are not meant: browsers show such frames for [`UNMEANT_DELAY`].
const SHORTEST_DELAY: u16 = 2;

/// What browsers make of a delay that is too short to be meant, in hundredths of a second.
const UNMEANT_DELAY: u16 = 10;

/// What the headers of an acceptable GIF say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Survey {
    /// Canvas width in pixels, at least 1.
    pub(super) width: u16,
    /// Canvas height in pixels, at least 1.
    pub(super) height: u16,
    /// How long each frame is shown, in hundredths of a second; at least one frame, none of them shown for no time.
    pub(super) delays: Vec<u16>,
}

impl Survey {
    /// Walks through the blocks of a GIF and applies the limits.
    ///
    /// A file that stops after a complete frame, without the trailer, is accepted; one that stops within a frame is not.
    pub(super) fn of(gif: &[u8], limits: &Limits, deadline: &Deadline) -> Result<Self, TranscodeError> {
        limits.check_input(gif.len())?;
        let mut options = DecodeOptions::new();
        options.skip_frame_decoding(true);
        let mut decoder = open(gif, options)?;
        let (width, height) = (decoder.width(), decoder.height());
        if width == 0 || height == 0 {
            return Err(TranscodeError::Malformed(format!("the canvas is {width}x{height}")));
        }
        limits.check_image(width, height)?;

        let canvas_pixels = u64::from(width) * u64::from(height);
        let mut delays = Vec::new();
        let mut work = 0;
        while let Some(frame) = decoder.next_frame_info().map_err(malformed)? {
            deadline.check()?;
            if delays.len() == limits.frames {
                return Err(TranscodeError::TooManyFrames { limit: limits.frames });
            }
            limits.check_image(frame.width, frame.height)?;
            work += canvas_pixels.max(u64::from(frame.width) * u64::from(frame.height));
            if work > limits.composited_pixels {
                let (frame, limit) = (delays.len() + 1, limits.composited_pixels);
                return Err(TranscodeError::TooMuchWork { frame, pixels: work, limit });
            }
            delays.push(if frame.delay < SHORTEST_DELAY { UNMEANT_DELAY } else { frame.delay });
        }
        if delays.is_empty() {
            return Err(TranscodeError::NoFrames);
        }
        Ok(Self { width, height, delays })
    }
}

/// Opens a GIF for reading and reads its header.
///
/// The trailer that is appended is never reached in a file that has its own. In one that stops within a block it is taken for a
/// part of that block, which then still misses its end.
pub(super) fn open(gif: &[u8], options: DecodeOptions) -> Result<Decoder<GifBytes<'_>>, TranscodeError> {
    options.read_info(gif.chain(TRAILER)).map_err(malformed)
}

/// What the decoder says about a file, as our error.
pub(super) fn malformed(error: DecodingError) -> TranscodeError {
    TranscodeError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::testing::{flat, gif, no_hurry};
    use super::*;

    const LIMITS: Limits = Limits {
        input_bytes: 10_000,
        canvas_pixels: 100,
        side: 20,
        frames: 5,
        composited_pixels: 400,
        output_bytes: 10_000,
        wall_time: Duration::from_secs(600),
    };

    fn survey(gif: &[u8]) -> Result<Survey, TranscodeError> {
        Survey::of(gif, &LIMITS, &no_hurry())
    }

    /// Why the file is refused.
    fn refusal(gif: &[u8]) -> String {
        survey(gif).unwrap_err().to_string()
    }

    #[test]
    fn delays_that_are_not_meant_become_ten_and_all_others_are_kept() {
        let frames = [0, 1, 2, 65_535, 0].map(|delay| flat(1, 1, 0, delay));
        assert_eq!(survey(&gif(3, 2, &frames)).unwrap(), Survey { width: 3, height: 2, delays: vec![10, 10, 2, 65_535, 10] });
    }

    #[test]
    fn each_limit_is_reached_before_it_is_broken() {
        assert!(survey(&gif(20, 5, &[flat(5, 20, 0, 5)])).is_ok());
        assert_eq!(refusal(&gif(21, 1, &[])), "an image of 21x1 has a side over 20 pixels");
        assert_eq!(refusal(&gif(1, 21, &[])), "an image of 1x21 has a side over 20 pixels");
        assert_eq!(refusal(&gif(17, 6, &[])), "an image of 17x6 has 102 pixels, the limit is 100");
        assert_eq!(refusal(&gif(1, 1, &[flat(1, 21, 0, 5)])), "an image of 1x21 has a side over 20 pixels");
        assert_eq!(refusal(&gif(1, 1, &[flat(17, 6, 0, 5)])), "an image of 17x6 has 102 pixels, the limit is 100");

        assert!(survey(&gif(1, 1, &vec![flat(1, 1, 0, 5); 5])).is_ok());
        assert_eq!(refusal(&gif(1, 1, &vec![flat(1, 1, 0, 5); 6])), "the GIF has more than 5 frames");

        let canvas_counts = "frame 5 brings the work to 500 composited pixels, the limit is 400";
        assert!(survey(&gif(10, 10, &vec![flat(1, 1, 0, 5); 4])).is_ok());
        assert_eq!(refusal(&gif(10, 10, &vec![flat(1, 1, 0, 5); 5])), canvas_counts);
        assert_eq!(refusal(&gif(1, 1, &vec![flat(10, 10, 0, 5); 5])), canvas_counts);

        let mut long = gif(1, 1, &[flat(1, 1, 0, 5)]);
        long.resize(10_000, 0);
        assert!(survey(&long).is_ok());
        long.push(0);
        assert_eq!(refusal(&long), "the GIF has 10001 bytes, the limit is 10000");
    }

    #[test]
    fn files_that_show_nothing_are_refused() {
        assert_eq!(refusal(&gif(1, 1, &[])), "the GIF has no frames");
        assert_eq!(refusal(&gif(0, 1, &[flat(1, 1, 0, 5)])), "not a well-formed GIF: the canvas is 0x1");
        assert_eq!(refusal(&gif(1, 0, &[flat(1, 1, 0, 5)])), "not a well-formed GIF: the canvas is 1x0");
        for not_a_gif in [&b""[..], b"GIF", b"\x89PNG\r\n\x1a\n and so on", &[0; 100], &[0xff; 100]] {
            assert!(matches!(survey(not_a_gif), Err(TranscodeError::Malformed(_))), "{not_a_gif:?}");
        }
    }

    #[test]
    fn only_the_trailer_may_be_missing_from_the_end() {
        let file = gif(3, 3, &[flat(3, 3, 1, 5)]);
        let without_trailer = file.len() - 1;
        assert_eq!(survey(&file[..without_trailer]).unwrap(), survey(&file).unwrap());
        for length in 0..without_trailer {
            assert!(survey(&file[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_deadline_that_has_passed_stops_it() {
        let file = gif(1, 1, &[flat(1, 1, 0, 5)]);
        let refused = Survey::of(&file, &LIMITS, &Deadline::starting_now(Duration::ZERO));
        assert!(matches!(refused, Err(TranscodeError::TimedOut { limit: Duration::ZERO })));
    }
}
