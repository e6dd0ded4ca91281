//! An animation in any accepted format: the interface between the decoders and the converters.
//!
//! A new format needs a decoder in its own files, its media type in [`ACCEPTED_TYPES`], and a variant of [`Format`] and [`AnimationFrames`]
//! with the arms that the compiler then requires here. The converters need no change if its delays are in hundredths of a second, like
//! those of GIFs.

use crate::animation_info::AnimationInfo;
use crate::canvas::Canvas;
use crate::convert_error::ConvertError;
use crate::deadline::Deadline;
use crate::gif_frames::GifFrames;
use crate::gif_inspect::inspect_gif;
use crate::limits::Limits;

/// The media types that every converter accepts, in lower case.
pub const ACCEPTED_TYPES: &[&str] = &["image/gif"];

/// The formats that have a decoder.
#[derive(Debug, Clone, Copy)]
enum Format {
    Gif,
}

impl Format {
    /// The format whose signature a file starts with.
    fn of(file: &[u8]) -> Option<Self> {
        match file {
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            _ => None,
        }
    }
}

/// An animation whose headers are within the limits.
#[derive(Debug)]
pub(crate) struct Animation {
    /// The canvas and the delays.
    pub(crate) info: AnimationInfo,
    format: Format,
}

impl Animation {
    /// Reads the headers of a file and applies the limits.
    pub(crate) fn inspect(file: &[u8], limits: &Limits, deadline: &Deadline) -> Result<Self, ConvertError> {
        // The GIF decoder reports errors in files without a known signature.
        let format = Format::of(file).unwrap_or(Format::Gif);
        let info = match format {
            Format::Gif => inspect_gif(file, limits, deadline)?,
        };
        Ok(Self { info, format })
    }

    /// Starts at the first frame of the file, which must be the inspected one.
    pub(crate) fn frames<'a>(&self, file: &'a [u8]) -> Result<AnimationFrames<'a>, ConvertError> {
        match self.format {
            Format::Gif => GifFrames::new(file, &self.info).map(AnimationFrames::Gif),
        }
    }
}

/// Composites the frames of an animation, one after the other.
pub(crate) enum AnimationFrames<'a> {
    /// The frames of a GIF.
    Gif(GifFrames<'a>),
}

impl AnimationFrames<'_> {
    /// Draws the next frame and returns the canvas, or `None` after the last frame.
    pub(crate) fn next_canvas(&mut self) -> Result<Option<&Canvas>, ConvertError> {
        match self {
            Self::Gif(frames) => frames.next_canvas(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{flat, gif, no_deadline};

    fn inspect(file: &[u8]) -> Result<Animation, ConvertError> {
        Animation::inspect(file, &Limits::default(), &no_deadline())
    }

    #[test]
    fn both_versions_of_gif_are_read_by_the_gif_decoder() {
        for version in [b"GIF87a", b"GIF89a"] {
            let mut file = gif(2, 1, &[flat(2, 1, 0, 7), flat(1, 1, 2, 9)]);
            file[..6].copy_from_slice(version);
            assert!(matches!(Format::of(&file), Some(Format::Gif)));
            let animation = inspect(&file).unwrap();
            assert_eq!(animation.info, AnimationInfo { width: 2, height: 1, delays: vec![7, 9] });
            let mut frames = animation.frames(&file).unwrap();
            for expected in [[[255, 0, 0]; 2], [[0, 0, 255], [255, 0, 0]]] {
                assert_eq!(frames.next_canvas().unwrap().unwrap().row_or_last(0), expected);
            }
            assert!(frames.next_canvas().unwrap().is_none());
        }
    }

    #[test]
    fn file_without_a_known_signature_is_malformed() {
        for unknown in [&b"GIF90a"[..], b"GIF8", b"gif89a", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8X", b""] {
            assert!(Format::of(unknown).is_none(), "{unknown:?}");
            assert!(matches!(inspect(unknown), Err(ConvertError::Malformed(_))), "{unknown:?}");
        }
        assert_eq!(inspect(b"GIF90a").unwrap_err().to_string(), "not a well-formed GIF: malformed GIF header");
    }
}
