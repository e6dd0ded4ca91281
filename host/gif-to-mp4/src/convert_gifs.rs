//! Which GIFs become videos.

use crate::convert_error::ConvertError;
use crate::limits::Limits;
use crate::mp4::Video;

/// Which GIFs become videos. The others are kept unchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConvertGifs {
    /// All of them.
    #[default]
    Always,
    /// Those with more than one frame. Pages show still images with `<img>`, which does not play videos in most browsers.
    Animated,
    /// Those whose video is smaller, in bytes. Encoding stops as soon as that is impossible.
    Smaller,
    /// None.
    Never,
}

/// The outcome for a GIF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Converted {
    /// A whole MP4 file.
    Video(Vec<u8>),
    /// The GIF is kept unchanged.
    Keep,
}

impl ConvertGifs {
    /// Whether a GIF is kept regardless of its video. This can be decided before a frame is decoded.
    pub(crate) fn keeps(self, frames: usize) -> bool {
        match self {
            Self::Always | Self::Smaller => false,
            Self::Animated => frames <= 1,
            Self::Never => true,
        }
    }

    /// The limits for the video of a GIF of this size in bytes.
    pub(crate) fn limits(self, gif: usize, limits: &Limits) -> Limits {
        match self {
            Self::Smaller => Limits { output_bytes: limits.output_bytes.min(gif), ..*limits },
            Self::Always | Self::Animated | Self::Never => *limits,
        }
    }

    /// The outcome of encoding a GIF of this size in bytes, within these [limits](Self::limits).
    pub(crate) fn choose(self, gif: usize, limits: &Limits, video: Result<Video, ConvertError>) -> Result<Converted, ConvertError> {
        let smaller = self == Self::Smaller;
        match video {
            // There are fewer frames than before decoding if the last frame is damaged.
            Ok(video) if self.keeps(video.frames) || smaller && video.file.len() >= gif => Ok(Converted::Keep),
            Ok(video) => Ok(Converted::Video(video.file)),
            Err(ConvertError::OutputTooLarge { .. }) if smaller && limits.output_bytes == gif => Ok(Converted::Keep),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn still_and_unselected_gifs_are_kept_without_decoding() {
        let keeps = |which: ConvertGifs| [which.keeps(1), which.keeps(2)];
        assert_eq!(keeps(ConvertGifs::Always), [false, false]);
        assert_eq!(keeps(ConvertGifs::Animated), [true, false]);
        assert_eq!(keeps(ConvertGifs::Smaller), [false, false]);
        assert_eq!(keeps(ConvertGifs::Never), [true, true]);
    }

    #[test]
    fn video_must_be_smaller_than_the_gif_only_with_the_smaller_setting() {
        let limits = Limits { output_bytes: 50, ..Limits::default() };
        for (which, gif, video, kept) in [
            (ConvertGifs::Smaller, 10, 9, false),
            (ConvertGifs::Smaller, 10, 10, true),
            (ConvertGifs::Smaller, 10, 11, true),
            (ConvertGifs::Always, 10, 11, false),
            (ConvertGifs::Animated, 10, 11, false),
        ] {
            let chosen = which.choose(gif, &which.limits(gif, &limits), Ok(Video { file: vec![0; video], frames: 2 })).unwrap();
            assert_eq!(matches!(chosen, Converted::Keep), kept, "{which:?} {gif} {video}");
        }
    }

    #[test]
    fn gif_whose_second_frame_is_damaged_counts_as_a_still_image() {
        let limits = Limits::default();
        for (which, kept) in [(ConvertGifs::Animated, true), (ConvertGifs::Always, false)] {
            let chosen = which.choose(10, &limits, Ok(Video { file: vec![0; 5], frames: 1 })).unwrap();
            assert_eq!(chosen == Converted::Keep, kept, "{which:?}");
        }
    }

    #[test]
    fn encoding_stops_at_the_size_of_the_gif_or_fails_at_the_limit() {
        let limits = Limits { output_bytes: 50, ..Limits::default() };
        let choose = |which: ConvertGifs, gif: usize| {
            let limits = which.limits(gif, &limits);
            which.choose(gif, &limits, limits.check_output(60).map(|()| Video { file: Vec::new(), frames: 2 }))
        };
        assert!(matches!(choose(ConvertGifs::Smaller, 20), Ok(Converted::Keep)));
        assert!(matches!(choose(ConvertGifs::Smaller, 70), Err(ConvertError::OutputTooLarge { limit: 50, .. })));
        assert!(matches!(choose(ConvertGifs::Always, 20), Err(ConvertError::OutputTooLarge { limit: 50, .. })));
    }
}
