//! GIFs, the frames made from them, and the output of encoders.

mod drawing;
mod model;
mod reference;
mod streams;
mod videos;

use std::time::Duration;

pub use drawing::canvas;
use media_cache_gif_to_mp4::Limits;
pub use streams::annex_b;
pub use videos::gif;

/// Small enough for thousands of files per second. There is no time limit, because a machine may be busy.
const LIMITS: Limits = Limits {
    input_bytes: 1 << 16,
    canvas_pixels: 1 << 13,
    side: 200,
    frames: 20,
    composited_pixels: 1 << 16,
    output_bytes: 1 << 16,
    wall_time: Duration::MAX,
};
