//! Converts GIFs to MP4 videos, which are several times smaller and are decoded in hardware.
//!
//! The input is untrusted, so every converter gives four guarantees:
//!
//! * [`Limits`] are checked against the headers, before any memory is used for pixels, and the time limit is checked between frames;
//! * a malformed or hostile file ends in a [`ConvertError`], never in a panic, and only memory-safe Rust reads it;
//! * every frame is shown exactly as long as in browsers, including the last one; a frame that changes nothing extends the time for which
//!   the previous one is shown;
//! * the same GIF and the same encoder produce the same bytes.
//!
//! A file passes through one module per stage: `animation` picks the decoder by its signature, `gif_blocks` finds the frames, `gif_inspect`
//! and `animation_info` check their headers, `gif_pixels` and `lzw` decompress, `gif_frames` composites, `pictures` merges identical
//! consecutive frames, `yuv` converts the colours, `h264_encoder` (with `recode`) or `ffmpeg_converter` encodes, `bitstream` collects the
//! encoded frames, and `mp4` writes the file.
//!
//! # Features
//!
//! - `openh264` (default): [`EmbeddedConverter`] and [`gif_to_mp4`], which encode with OpenH264. Needs a C++ compiler.
//! - `fuzzing`: internals for property tests and fuzz targets, outside of the API's guarantees.

mod animation;
mod animation_info;
mod bitstream;
mod canvas;
mod convert_error;
mod convert_gifs;
mod converter;
mod deadline;
#[cfg(feature = "openh264")]
mod embedded_converter;
mod ffmpeg_converter;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gif_blocks;
#[cfg(test)]
mod gif_cases;
mod gif_frames;
mod gif_inspect;
mod gif_pixels;
#[cfg(feature = "openh264")]
mod h264_encoder;
mod level;
mod limits;
mod lzw;
mod mp4;
mod pictures;
#[cfg(feature = "openh264")]
mod recode;
#[cfg(test)]
mod test_support;
mod workers;
mod yuv;

pub use animation::ACCEPTED_TYPES;
pub use convert_error::ConvertError;
pub use convert_gifs::{ConvertGifs, Converted};
pub use converter::Converter;
pub use deadline::Deadline;
#[cfg(feature = "openh264")]
pub use embedded_converter::{EmbeddedConverter, gif_to_mp4};
pub use ffmpeg_converter::FfmpegConverter;
pub use limits::Limits;
