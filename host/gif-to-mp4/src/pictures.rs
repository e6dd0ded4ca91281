//! The pictures of an animation in the format of its video, and how long each is shown.
//!
//! A frame that looks the same as the previous one does not become a separate picture. Instead, the previous picture is shown for longer.
//! This looks the same in players, and saves bytes and encoding time.

use crate::animation::{Animation, AnimationFrames};
use crate::convert_error::ConvertError;
use crate::deadline::Deadline;
use crate::yuv::{I420, VideoFormat};

/// Draws and converts one frame after the other.
pub(crate) struct Pictures<'a> {
    frames: AnimationFrames<'a>,
    delays: &'a [u16],
    picture: I420,
    shown: Shown,
}

/// The durations of the pictures so far, and the number of frames that they represent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// How long each picture is shown, in hundredths of a second.
    pub(crate) durations: Vec<u32>,
    /// The number of frames.
    pub(crate) frames: usize,
}

impl<'a> Pictures<'a> {
    /// Starts at the first frame of an inspected file.
    pub(crate) fn new(file: &'a [u8], animation: &'a Animation, format: VideoFormat) -> Result<Self, ConvertError> {
        let (frames, picture) = (animation.frames(file)?, I420::new(format));
        Ok(Self { frames, delays: &animation.info.delays, picture, shown: Shown::default() })
    }

    /// The next picture that differs from the last one, or `None` after the last frame.
    ///
    /// # Errors
    /// For damaged frames, and at the deadline, which is checked for each frame.
    pub(crate) fn next(&mut self, deadline: &Deadline) -> Result<Option<&I420>, ConvertError> {
        while let Some(canvas) = self.frames.next_canvas()? {
            deadline.check()?;
            let changed = if self.shown.frames == 0 {
                self.picture.convert(canvas);
                true
            } else {
                self.picture.update(canvas)
            };
            let delay = self.delays.get(self.shown.frames).copied().unwrap_or_default().into();
            self.shown.frames += 1;
            match self.shown.durations.last_mut() {
                Some(duration) if !changed => *duration = duration.saturating_add(delay),
                _ => {
                    self.shown.durations.push(delay);
                    return Ok(Some(&self.picture));
                }
            }
        }
        Ok(None)
    }

    /// The durations of the pictures so far, and the number of frames that they represent.
    pub(crate) fn finish(self) -> Shown {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use gif::Frame;

    use super::*;
    use crate::limits::Limits;
    use crate::test_support::{flat, gif, no_deadline};

    fn shown(frames: &[Frame<'_>]) -> Shown {
        let file = gif(16, 16, frames);
        let animation = Animation::inspect(&file, &Limits::default(), &no_deadline()).unwrap();
        let mut pictures = Pictures::new(&file, &animation, VideoFormat::for_canvas(16, 16)).unwrap();
        let mut returned = 0;
        while pictures.next(&no_deadline()).unwrap().is_some() {
            returned += 1;
        }
        let shown = pictures.finish();
        assert_eq!(shown.durations.len(), returned);
        shown
    }

    #[test]
    fn frame_that_changes_nothing_extends_the_duration_of_the_previous_picture() {
        let transparent = Frame { transparent: Some(2), ..flat(16, 16, 2, 65_535) };
        let frames =
            [flat(16, 16, 0, 5), flat(16, 16, 0, 65_535), transparent, flat(16, 16, 1, 7), flat(16, 16, 0, 9), flat(4, 4, 0, 2)];
        assert_eq!(shown(&frames), Shown { durations: vec![5 + 65_535 + 65_535, 7, 9 + 2], frames: 6 });
    }

    #[test]
    fn smallest_change_produces_a_new_picture() {
        assert_eq!(shown(&[flat(16, 16, 0, 5), flat(1, 1, 1, 6), flat(1, 1, 0, 7)]).durations, [5, 6, 7]);
    }
}
