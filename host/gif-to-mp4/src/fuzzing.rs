//! Internals that property tests and fuzz targets call directly. Not part of the API: anything here may change at any time.

pub use crate::animation_info::AnimationInfo;
pub use crate::bitstream::{EncodedFrame, EncodedVideo, nal_units};
pub use crate::canvas::{BACKDROP, Canvas, DisposalMethod, Image, Pixel};
pub use crate::gif_frames::GifFrames;
pub use crate::gif_inspect::inspect_gif;
pub use crate::mp4::write as write_mp4;
pub use crate::yuv::{I420, VideoFormat};
