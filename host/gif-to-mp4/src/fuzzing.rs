//! Internals that property tests and fuzz targets call directly. Not part of the API: anything here may change at any time.

pub use crate::bitstream::{EncodedFrame, EncodedVideo, nal_units};
pub use crate::canvas::{BACKDROP, Canvas, Image, Pixel};
pub use crate::frames::Frames;
pub use crate::inspect::{GifBytes, GifInfo, inspect, open};
pub use crate::mp4::write as write_mp4;
pub use crate::yuv::{I420, VideoFormat};
