//! The first pass over a GIF: its headers only. No image data is decompressed and no allocation grows with the size of the image, so
//! rejecting a hostile file costs no more than walking through its blocks.

use crate::animation_info::{AnimationInfo, Inspection};
use crate::convert_error::ConvertError;
use crate::deadline::Deadline;
use crate::gif_blocks::GifBlocks;
use crate::limits::Limits;

/// The shortest delay that browsers honour, in hundredths of a second.
const MIN_DELAY: u16 = 2;

/// The delay that browsers use instead of a shorter one, in hundredths of a second.
const DEFAULT_DELAY: u16 = 10;

/// Walks through the blocks of a GIF and applies the limits.
///
/// A file that ends after a complete frame is accepted, whatever follows; `GifBlocks` defines where a file ends.
pub fn inspect_gif(gif: &[u8], limits: &Limits, deadline: &Deadline) -> Result<AnimationInfo, ConvertError> {
    limits.check_input(gif.len())?;
    let mut blocks = GifBlocks::open(gif)?;
    let mut inspection = Inspection::new(blocks.width, blocks.height, limits, deadline)?;
    while let Some(image) = blocks.next_image() {
        let delay = if image.delay < MIN_DELAY { DEFAULT_DELAY } else { image.delay };
        inspection.add_frame(image.width, image.height, delay)?;
    }
    inspection.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::test_support::{flat, gif, no_deadline};

    const LIMITS: Limits = Limits {
        input_bytes: 10_000,
        canvas_pixels: 100,
        side: 20,
        frames: 5,
        composited_pixels: 400,
        output_bytes: 10_000,
        wall_time: Duration::from_secs(600),
    };

    fn inspected(gif: &[u8]) -> Result<AnimationInfo, ConvertError> {
        inspect_gif(gif, &LIMITS, &no_deadline())
    }

    fn rejection(gif: &[u8]) -> String {
        inspected(gif).unwrap_err().to_string()
    }

    #[test]
    fn delays_below_two_become_ten_and_others_are_unchanged() {
        let frames = [0, 1, 2, 65_535, 0].map(|delay| flat(1, 1, 0, delay));
        let expected = AnimationInfo { width: 3, height: 2, delays: vec![10, 10, 2, 65_535, 10] };
        assert_eq!(inspected(&gif(3, 2, &frames)).unwrap(), expected);
    }

    #[test]
    fn each_limit_is_inclusive() {
        assert!(inspected(&gif(20, 5, &[flat(1, 1, 0, 5), flat(5, 20, 0, 5)])).is_ok());
        assert_eq!(rejection(&gif(21, 1, &[flat(1, 1, 0, 5)])), "an image of 21x1 is wider or higher than 20 pixels");
        assert_eq!(rejection(&gif(1, 21, &[flat(1, 1, 0, 5)])), "an image of 1x21 is wider or higher than 20 pixels");
        assert_eq!(rejection(&gif(17, 6, &[flat(1, 1, 0, 5)])), "an image of 17x6 has 102 pixels; the limit is 100");
        assert_eq!(
            rejection(&gif(1, 1, &[flat(1, 1, 0, 5), flat(1, 21, 0, 5)])),
            "an image of 1x21 is wider or higher than 20 pixels"
        );
        assert_eq!(
            rejection(&gif(1, 1, &[flat(1, 1, 0, 5), flat(17, 6, 0, 5)])),
            "an image of 17x6 has 102 pixels; the limit is 100"
        );

        assert!(inspected(&gif(1, 1, &vec![flat(1, 1, 0, 5); 5])).is_ok());
        assert_eq!(rejection(&gif(1, 1, &vec![flat(1, 1, 0, 5); 6])), "the GIF has more than 5 frames");

        let canvas_counts = "frame 5 brings the total to 500 composited pixels; the limit is 400";
        assert!(inspected(&gif(10, 10, &vec![flat(1, 1, 0, 5); 4])).is_ok());
        assert_eq!(rejection(&gif(10, 10, &vec![flat(1, 1, 0, 5); 5])), canvas_counts);
        assert_eq!(rejection(&gif(1, 1, &vec![flat(10, 10, 0, 5); 5])), canvas_counts);

        let mut long = gif(1, 1, &[flat(1, 1, 0, 5)]);
        long.resize(10_000, 0);
        assert!(inspected(&long).is_ok());
        long.push(0);
        assert_eq!(rejection(&long), "the GIF has 10001 bytes; the limit is 10000");
    }

    #[test]
    fn file_without_frames_or_pixels_is_rejected() {
        assert_eq!(rejection(&gif(1, 1, &[])), "the GIF has no frames");
        assert_eq!(rejection(&gif(0, 1, &[flat(0, 1, 0, 5)])), "not a well-formed GIF: the canvas is 0x1");
        assert_eq!(rejection(&gif(1, 0, &[flat(1, 0, 0, 5)])), "not a well-formed GIF: the canvas is 1x0");
        for not_a_gif in [&b""[..], b"GIF", b"\x89PNG\r\n\x1a\n and so on", &[0; 100], &[0xff; 100]] {
            assert!(matches!(inspected(not_a_gif), Err(ConvertError::Malformed(_))), "{not_a_gif:?}");
        }
    }

    #[test]
    fn only_the_trailer_may_be_missing() {
        let file = gif(3, 3, &[flat(3, 3, 1, 5)]);
        let without_trailer = file.len() - 1;
        assert_eq!(inspected(&file[..without_trailer]).unwrap(), inspected(&file).unwrap());
        for length in 0..without_trailer {
            assert!(inspected(&file[..length]).is_err(), "cut to {length} bytes");
        }
    }

    #[test]
    fn expired_deadline_stops_the_inspection() {
        let file = gif(1, 1, &[flat(1, 1, 0, 5)]);
        let stopped = inspect_gif(&file, &LIMITS, &Deadline::starting_now(Duration::ZERO));
        assert!(matches!(stopped, Err(ConvertError::TimedOut { limit: Duration::ZERO })));
    }
}
