//! The limits of one conversion: on its input, its output, its work and its time.

use std::time::Duration;

use crate::convert_error::ConvertError;

/// The limits of one conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The maximum size of the GIF, in bytes.
    pub input_bytes: usize,
    /// The maximum number of pixels of the canvas, and of the rectangle of each frame.
    pub canvas_pixels: u64,
    /// The maximum width and height of the canvas, and of the rectangle of each frame, in pixels.
    pub side: u16,
    /// The maximum number of frames.
    pub frames: usize,
    /// The maximum number of pixels to composite in the whole job. Each frame counts as the canvas, or as its rectangle if that is larger.
    pub composited_pixels: u64,
    /// The maximum size of the encoded frames, in bytes.
    pub output_bytes: usize,
    /// The maximum time for which the job may run. Time spent waiting for a worker does not count.
    pub wall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 20 << 20,
            canvas_pixels: 22_080 * 16 * 16,
            side: 3840,
            frames: 3000,
            composited_pixels: 1_000_000_000,
            output_bytes: 64 << 20,
            wall_time: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// Rejects a file of this size in bytes.
    pub(crate) fn check_input(&self, bytes: usize) -> Result<(), ConvertError> {
        if bytes > self.input_bytes {
            return Err(ConvertError::InputTooLarge { bytes: bytes as u64, limit: self.input_bytes as u64 });
        }
        Ok(())
    }

    /// Rejects a canvas or a frame rectangle of this size in pixels.
    pub(crate) fn check_image(&self, width: u32, height: u32) -> Result<(), ConvertError> {
        if width.max(height) > u32::from(self.side) {
            return Err(ConvertError::SideTooLong { width, height, limit: self.side });
        }
        if u64::from(width) * u64::from(height) > self.canvas_pixels {
            return Err(ConvertError::TooManyPixels { width, height, limit: self.canvas_pixels });
        }
        Ok(())
    }

    /// Rejects an encoded video of this size in bytes.
    pub(crate) fn check_output(&self, bytes: usize) -> Result<(), ConvertError> {
        if bytes > self.output_bytes {
            return Err(ConvertError::OutputTooLarge { bytes, limit: self.output_bytes });
        }
        Ok(())
    }
}
