//! What one transcoding job may cost. Numbers only: `survey` applies those about the file, [`Deadline`] the one about time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::TranscodeError;

/// What one transcoding job may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the GIF in bytes.
    pub input_bytes: usize,
    /// Pixels of the canvas, and of each frame's own rectangle.
    pub canvas_pixels: u64,
    /// Width and height of the canvas, and of each frame's own rectangle, in pixels.
    pub side: u16,
    /// Number of frames.
    pub frames: usize,
    /// Pixels to composite in the whole job: each frame counts the canvas, or its own rectangle when that is larger.
    pub composited_pixels: u64,
    /// Size of the encoded frames in bytes.
    pub output_bytes: usize,
    /// Wall time from when the job starts to run; the time it queues is not counted.
    pub wall_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 20 << 20,
            canvas_pixels: 1920 * 1080,
            side: 3840,
            frames: 3000,
            composited_pixels: 300_000_000,
            output_bytes: 64 << 20,
            wall_time: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Refuses a file that is too large to look at.
    pub(super) fn check_input(&self, bytes: usize) -> Result<(), TranscodeError> {
        if bytes > self.input_bytes {
            return Err(TranscodeError::InputTooLarge { bytes, limit: self.input_bytes });
        }
        Ok(())
    }

    /// Refuses a canvas or a frame rectangle of this size in pixels.
    pub(super) fn check_image(&self, width: u16, height: u16) -> Result<(), TranscodeError> {
        if width.max(height) > self.side {
            return Err(TranscodeError::SideTooLong { width, height, limit: self.side });
        }
        if u64::from(width) * u64::from(height) > self.canvas_pixels {
            return Err(TranscodeError::TooManyPixels { width, height, limit: self.canvas_pixels });
        }
        Ok(())
    }

    /// Refuses an encoded video of this size in bytes.
    pub(super) fn check_output(&self, bytes: usize) -> Result<(), TranscodeError> {
        if bytes > self.output_bytes {
            return Err(TranscodeError::OutputTooLarge { bytes, limit: self.output_bytes });
        }
        Ok(())
    }
}

/// When a job has to stop: at a point in time, or as soon as nobody waits for it any more.
///
/// Blocking code cannot be interrupted from outside, so it asks between frames.
#[derive(Debug, Clone)]
pub struct Deadline {
    started: Instant,
    limit: Duration,
    abandoned: Arc<AtomicBool>,
}

impl Deadline {
    /// A deadline `limit` from now.
    #[must_use]
    pub fn starting_now(limit: Duration) -> Self {
        Self::with_abandonment(limit, Arc::default())
    }

    /// A deadline `limit` from now, or when the flag is raised.
    pub(super) fn with_abandonment(limit: Duration, abandoned: Arc<AtomicBool>) -> Self {
        Self { started: Instant::now(), limit, abandoned }
    }

    /// Whether the job may go on.
    ///
    /// # Errors
    ///
    /// [`TranscodeError::TimedOut`] when the time is up, [`TranscodeError::Abandoned`] when nobody waits any more.
    pub fn check(&self) -> Result<(), TranscodeError> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(TranscodeError::Abandoned);
        }
        if self.started.elapsed() >= self.limit {
            return Err(TranscodeError::TimedOut { limit: self.limit });
        }
        Ok(())
    }
}
