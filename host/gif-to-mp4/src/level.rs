//! The levels of H.264, which bound the size and speed of a video. Decoders, especially those in hardware, rely on the level that a stream
//! declares, so it must be correct. A video that no level allows is rejected.
//!
//! Levels also bound the bit rate, which is not known before encoding, and is not checked.

use crate::convert_error::ConvertError;
use crate::yuv::VideoFormat;

/// The width and height of a macroblock in pixels.
const MACROBLOCK: usize = 16;

/// The highest frame rate of a GIF, per second: browsers ignore delays below two hundredths of a second.
pub(crate) const MAX_FRAME_RATE: usize = 50;

/// A level, by its number times ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level(pub(crate) u8);

/// Each level, the macroblocks of a picture, and the macroblocks in a second.
const LEVELS: [(Level, usize, usize); 14] = [
    (Level(10), 99, 1_485),
    (Level(11), 396, 3_000),
    (Level(12), 396, 6_000),
    (Level(13), 396, 11_880),
    (Level(21), 792, 19_800),
    (Level(22), 1_620, 20_250),
    (Level(30), 1_620, 40_500),
    (Level(31), 3_600, 108_000),
    (Level(32), 5_120, 216_000),
    (Level(40), 8_192, 245_760),
    (Level(42), 8_704, 522_240),
    (Level(50), 22_080, 589_824),
    (Level(51), 36_864, 983_040),
    (Level(52), 36_864, 2_073_600),
];

impl Level {
    /// The lowest level that allows a video of this size at the highest frame rate of a GIF.
    pub(crate) fn of(format: VideoFormat) -> Option<Self> {
        let (width, height) = (format.width.div_ceil(MACROBLOCK), format.height.div_ceil(MACROBLOCK));
        let (size, longest) = (width * height, width.max(height));
        let allows = |&&(_, max_size, max_rate): &&(Self, usize, usize)| {
            size <= max_size && longest * longest <= max_size * 8 && size * MAX_FRAME_RATE <= max_rate
        };
        LEVELS.iter().find(allows).map(|&(level, ..)| level)
    }

    /// Rejects a canvas of this size in pixels if no level allows it.
    pub(crate) fn check(width: u16, height: u16) -> Result<(), ConvertError> {
        let level = Self::of(VideoFormat::for_canvas(width, height));
        level.map(drop).ok_or(ConvertError::NoLevel { width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(width: u16, height: u16) -> Option<u8> {
        Level::of(VideoFormat::for_canvas(width, height)).map(|level| level.0)
    }

    #[test]
    fn level_is_the_lowest_that_allows_the_size_at_fifty_frames_a_second() {
        assert_eq!(level(16, 16), Some(10));
        assert_eq!(level(720, 576), Some(31));
        assert_eq!(level(1920, 1080), Some(42));
        assert_eq!(level(1080, 2340), Some(50));
        assert_eq!(level(1440, 3200), Some(51));
        assert_eq!(level(4096, 2304), Some(52));
    }

    #[test]
    fn width_and_height_are_limited_by_the_level_regardless_of_the_area() {
        assert_eq!(level(16, 4096), Some(40));
        assert_eq!(level(4224, 16), Some(50));
        assert_eq!(level(8688, 16), Some(51));
        assert_eq!(level(16, 8689), None);
    }

    #[test]
    fn no_level_allows_a_picture_with_too_many_macroblocks() {
        assert_eq!(level(3072, 3072), Some(52));
        assert_eq!(level(3073, 3072), None);
        let message = Level::check(3073, 3072).unwrap_err().to_string();
        assert_eq!(
            message,
            "no level of H.264 allows 3073x3072 pixels: the limits are 36864 macroblocks, and 8688 pixels in width and height"
        );
    }
}
