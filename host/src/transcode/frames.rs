//! The second pass over a GIF: image data is decompressed and drawn, frame by frame, on one canvas.
//!
//! Only a GIF that has been surveyed gets here, so its sizes are known to be acceptable. Held in memory are the canvas, one
//! frame's palette indices and, where a frame asks for it, what it is drawn over.

use gif::{DecodeOptions, Decoder};

use super::TranscodeError;
use super::canvas::{Canvas, Image};
use super::survey::{GifBytes, Survey, malformed, open};

/// The frames of a GIF as they are seen, one after the other.
pub(super) struct Frames<'a> {
    decoder: Decoder<GifBytes<'a>>,
    canvas: Canvas,
    indices: Vec<u8>,
}

impl<'a> Frames<'a> {
    /// Starts at the first frame of the GIF that was surveyed.
    pub(super) fn of(gif: &'a [u8], survey: &Survey) -> Result<Self, TranscodeError> {
        let decoder = open(gif, DecodeOptions::new())?;
        Ok(Self { decoder, canvas: Canvas::new(survey.width, survey.height), indices: Vec::new() })
    }

    /// Draws the next frame and returns the canvas, or nothing after the last frame.
    ///
    /// Interlaced images are put in order, and an image with fewer pixels than its header says is an error.
    pub(super) fn next_canvas(&mut self) -> Result<Option<&Canvas>, TranscodeError> {
        let Some(frame) = self.decoder.next_frame_info().map_err(malformed)? else { return Ok(None) };
        let (left, top) = (usize::from(frame.left), usize::from(frame.top));
        let (width, height) = (usize::from(frame.width), usize::from(frame.height));
        let (transparent, disposal) = (frame.transparent, frame.dispose);

        self.indices.resize(width * height, 0);
        if !self.indices.is_empty() {
            self.decoder.read_into_buffer(&mut self.indices).map_err(malformed)?;
        }
        let palette = self.decoder.palette().map_err(malformed)?;
        self.canvas.draw(&Image { left, top, width, indices: &self.indices, palette, transparent, disposal });
        Ok(Some(&self.canvas))
    }
}

#[cfg(test)]
mod tests {
    use gif::{DisposalMethod, Frame};

    use super::super::Limits;
    use super::super::canvas::{BACKDROP, Pixel};
    use super::super::testing::{flat, gif, no_hurry};
    use super::*;

    const RED: Pixel = [255, 0, 0];
    const GREEN: Pixel = [0, 255, 0];
    const BLUE: Pixel = [0, 0, 255];

    /// The pixels of every frame, row by row.
    fn frames(file: &[u8]) -> Result<Vec<Vec<Pixel>>, TranscodeError> {
        let survey = Survey::of(file, &Limits::default(), &no_hurry())?;
        let mut frames = Frames::of(file, &survey)?;
        let mut seen = Vec::new();
        while let Some(canvas) = frames.next_canvas()? {
            let rows = 0..usize::from(survey.height);
            seen.push(rows.flat_map(|row| canvas.row_or_last(row).to_vec()).collect());
        }
        assert_eq!(seen.len(), survey.delays.len());
        Ok(seen)
    }

    /// A file with one frame of 2x2 whose image data is this: the code size, then blocks behind their lengths.
    fn with_image_data(data: &[u8]) -> Vec<u8> {
        let mut file = gif(2, 2, &[]);
        file.pop();
        file.extend_from_slice(&[0x2c, 0, 0, 0, 0, 2, 0, 2, 0, 0]);
        file.extend_from_slice(data);
        file.push(0x3b);
        file
    }

    #[test]
    fn frames_are_drawn_over_each_other_at_their_offsets() {
        let small = |left, dispose| Frame { left, dispose, ..flat(1, 1, 2, 5) };
        let transparent = Frame { transparent: Some(1), buffer: vec![1, 2, 1].into(), ..flat(3, 1, 0, 5) };
        let file = gif(
            3,
            1,
            &[
                flat(3, 1, 0, 5),
                small(1, DisposalMethod::Background),
                small(2, DisposalMethod::Previous),
                small(0, DisposalMethod::Keep),
                transparent,
            ],
        );
        let expected = [
            vec![RED, RED, RED],
            vec![RED, BLUE, RED],
            vec![RED, BACKDROP, BLUE],
            vec![BLUE, BACKDROP, RED],
            vec![BLUE, BLUE, RED],
        ];
        assert_eq!(frames(&file).unwrap(), expected);
    }

    #[test]
    fn interlaced_rows_are_put_in_order() {
        let stored_rows = [0, 8, 4, 2, 6, 1, 3, 5, 7];
        let buffer: Vec<u8> = stored_rows.iter().map(|row| row % 3).collect();
        let file = gif(1, 9, &[Frame { interlaced: true, buffer: buffer.into(), ..flat(1, 9, 0, 5) }]);
        assert_eq!(frames(&file).unwrap(), [[RED, GREEN, BLUE, RED, GREEN, BLUE, RED, GREEN, BLUE]]);
    }

    #[test]
    fn a_local_palette_is_used_for_its_own_frame_only() {
        let local = Frame { palette: Some(vec![1, 2, 3, 4, 5, 6]), ..flat(1, 1, 1, 5) };
        assert_eq!(frames(&gif(1, 1, &[local, flat(1, 1, 1, 5)])).unwrap(), [[[4, 5, 6]], [GREEN]]);
    }

    #[test]
    fn a_frame_without_pixels_shows_what_was_there() {
        let nothing = with_image_data(&[2, 1, 0b100, 0]);
        let mut empty_frame = nothing.clone();
        let descriptor = nothing.len() - 1 - 4 - 10;
        empty_frame[descriptor + 5] = 0;
        assert_eq!(frames(&empty_frame).unwrap(), [[BACKDROP; 4]]);
        assert!(matches!(frames(&nothing), Err(TranscodeError::Malformed(_))));
    }

    #[test]
    fn image_data_that_is_too_short_or_broken_is_an_error_and_a_surplus_is_skipped() {
        // Codes of three bits, from the lowest: clear (4), pixels (0 to 3), end (5).
        let four_red_pixels = [2, 2, 0b00_000_100, 0, 0];
        assert_eq!(frames(&with_image_data(&four_red_pixels)).unwrap(), [[RED; 4]]);
        let one_pixel = [2, 2, 0b01_000_100, 0b1, 0];
        let unknown_code = [2, 1, 0b00_111_100, 0];
        let bad_code_size = [13, 1, 0, 0];
        for broken in [&one_pixel[..], &unknown_code, &bad_code_size] {
            assert!(matches!(frames(&with_image_data(broken)), Err(TranscodeError::Malformed(_))), "{broken:?}");
        }

        let mut surplus = with_image_data(&four_red_pixels);
        let large = gif(200, 200, &[flat(200, 200, 1, 5), flat(2, 2, 2, 5)]);
        surplus.clear();
        surplus.extend_from_slice(&large);
        let image = large.iter().position(|&byte| byte == 0x2c).unwrap();
        surplus[image + 5..image + 9].copy_from_slice(&[2, 0, 2, 0]);
        let seen = frames(&surplus).unwrap();
        assert_eq!((seen[0][0], seen[0][2], seen[1][0]), (GREEN, BACKDROP, BLUE));
    }

    #[test]
    fn damaged_files_end_in_frames_or_in_an_error() {
        let whole = gif(9, 9, &[flat(9, 9, 1, 5), Frame { interlaced: true, ..flat(5, 9, 2, 5) }]);
        for position in 0..whole.len() {
            for value in [0, 1, 0x2c, 0x3b, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[position] = value;
                // Whatever comes out, it comes out: no panic, no endless loop.
                let _ = frames(&damaged);
            }
        }
    }
}
