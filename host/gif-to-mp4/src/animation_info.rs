//! The first pass over an animation of any format: a decoder reads the headers, which are checked against the limits.
//!
//! The result is an [`AnimationInfo`]: proof that canvas, frame rectangles, frame count and total work are within the [`Limits`]. The
//! second pass requires it.

use crate::convert_error::ConvertError;
use crate::deadline::Deadline;
use crate::level::Level;
use crate::limits::Limits;

/// The headers of an animation within the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnimationInfo {
    /// Canvas width in pixels, at least 1.
    pub width: u16,
    /// Canvas height in pixels, at least 1.
    pub height: u16,
    /// How long each frame is shown, in hundredths of a second; there is at least one frame, and no delay is zero.
    pub delays: Vec<u16>,
}

/// An inspection of one file, from its canvas to its last frame.
pub(crate) struct Inspection<'a> {
    info: AnimationInfo,
    composited_pixels: u64,
    limits: &'a Limits,
    deadline: &'a Deadline,
}

impl<'a> Inspection<'a> {
    /// Starts an inspection of a file whose canvas has this width and height in pixels.
    pub(crate) fn new(width: u32, height: u32, limits: &'a Limits, deadline: &'a Deadline) -> Result<Self, ConvertError> {
        if width == 0 || height == 0 {
            return Err(ConvertError::Malformed(format!("the canvas is {width}x{height}")));
        }
        limits.check_image(width, height)?;
        // The limit for width and height fits in 16 bits.
        let [width, height] = [width, height].map(|side| u16::try_from(side).unwrap_or(u16::MAX));
        Level::check(width, height)?;
        let info = AnimationInfo { width, height, delays: Vec::new() };
        Ok(Self { info, composited_pixels: 0, limits, deadline })
    }

    /// Adds a frame with this rectangle in pixels and this delay in hundredths of a second, at least 1.
    pub(crate) fn add_frame(&mut self, width: u16, height: u16, delay: u16) -> Result<(), ConvertError> {
        let Self { info, limits, .. } = self;
        self.deadline.check()?;
        if info.delays.len() == limits.frames {
            return Err(ConvertError::TooManyFrames { limit: limits.frames });
        }
        limits.check_image(width.into(), height.into())?;
        self.composited_pixels += pixels(info.width, info.height).max(pixels(width, height));
        if self.composited_pixels > limits.composited_pixels {
            let (frame, limit) = (info.delays.len() + 1, limits.composited_pixels);
            return Err(ConvertError::TooMuchWork { frame, pixels: self.composited_pixels, limit });
        }
        info.delays.push(delay);
        Ok(())
    }

    /// Ends after the last frame. There must be at least one.
    pub(crate) fn finish(self) -> Result<AnimationInfo, ConvertError> {
        if self.info.delays.is_empty() { Err(ConvertError::NoFrames) } else { Ok(self.info) }
    }
}

fn pixels(width: u16, height: u16) -> u64 {
    u64::from(width) * u64::from(height)
}
