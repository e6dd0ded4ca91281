//! GIFs, the pictures that are made of them, and what encoders emit.

#[path = "../../../host/src/transcode/bitstream.rs"]
mod bitstream;
#[path = "../../../host/src/transcode/canvas.rs"]
mod canvas;
mod drawing;
#[path = "../../../host/src/transcode/error.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod error;
mod films;
#[path = "../../../host/src/transcode/frames.rs"]
mod frames;
#[path = "../../../host/src/transcode/limits.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod limits;
mod model;
#[path = "../../../host/src/transcode/mp4.rs"]
mod mp4;
mod streams;
#[path = "../../../host/src/transcode/survey.rs"]
mod survey;
#[path = "../../../host/src/transcode/yuv.rs"]
mod yuv;

use std::time::Duration;

pub use drawing::canvas;
use error::TranscodeError;
pub use films::gif;
use limits::{Deadline, Limits};
pub use streams::annex_b;

/// Small enough for thousands of files a second. No time is too long: a machine may be busy.
const LIMITS: Limits = Limits {
    input_bytes: 1 << 16,
    canvas_pixels: 1 << 13,
    side: 200,
    frames: 20,
    composited_pixels: 1 << 16,
    output_bytes: 1 << 16,
    wall_time: Duration::MAX,
};
