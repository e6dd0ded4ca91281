//! The second pass over a GIF: decompresses the image data and composites it, frame by frame, on one canvas.
//!
//! It requires the result of [`inspect_gif`](crate::gif_inspect::inspect_gif), so all sizes are within the limits. Memory holds the canvas,
//! the palette indices of one frame and, if its disposal needs them, the pixels that it covers.

use crate::animation_info::AnimationInfo;
use crate::canvas::{Canvas, Image};
use crate::convert_error::ConvertError;
use crate::gif_blocks::GifBlocks;
use crate::gif_pixels::GifPixels;

/// Composites the frames of a GIF, one after the other.
pub struct GifFrames<'a> {
    blocks: GifBlocks<'a>,
    pixels: GifPixels,
    canvas: Canvas,
    drawn: usize,
    frames: usize,
}

impl<'a> GifFrames<'a> {
    /// Starts at the first frame of an inspected GIF.
    pub fn new(gif: &'a [u8], info: &AnimationInfo) -> Result<Self, ConvertError> {
        let (blocks, canvas) = (GifBlocks::open(gif)?, Canvas::new(info.width, info.height));
        Ok(Self { blocks, pixels: GifPixels::default(), canvas, drawn: 0, frames: info.delays.len() })
    }

    /// Draws the next frame and returns the canvas, or `None` after the last frame.
    ///
    /// Interlaced images are deinterlaced. Damaged image data is an error, except in the last of several frames: that one is dropped, as
    /// in browsers.
    pub fn next_canvas(&mut self) -> Result<Option<&Canvas>, ConvertError> {
        let Some(image) = self.blocks.next_image() else { return Ok(None) };
        let indices = match self.pixels.read(&image) {
            Ok(indices) => indices,
            Err(_) if self.drawn > 0 && self.drawn + 1 == self.frames => return Ok(None),
            Err(damaged) => return Err(damaged),
        };
        self.canvas.draw(&Image {
            left: image.left.into(),
            top: image.top.into(),
            width: image.width.into(),
            indices,
            palette: image.palette,
            transparent: image.transparent,
            disposal: image.disposal,
        });
        self.drawn += 1;
        Ok(Some(&self.canvas))
    }
}

#[cfg(test)]
mod tests {
    use gif::{DisposalMethod, Frame};

    use super::*;
    use crate::canvas::{BACKDROP, Pixel};
    use crate::gif_inspect::inspect_gif;
    use crate::limits::Limits;
    use crate::test_support::{flat, gif, no_deadline};

    const RED: Pixel = [255, 0, 0];
    const GREEN: Pixel = [0, 255, 0];
    const BLUE: Pixel = [0, 0, 255];

    /// The pixels of every frame, row by row.
    fn frames(file: &[u8]) -> Result<Vec<Vec<Pixel>>, ConvertError> {
        let info = inspect_gif(file, &Limits::default(), &no_deadline())?;
        let mut frames = GifFrames::new(file, &info)?;
        let mut pictures = Vec::new();
        while let Some(canvas) = frames.next_canvas()? {
            let rows = 0..usize::from(info.height);
            pictures.push(rows.flat_map(|row| canvas.row_or_last(row).to_vec()).collect());
        }
        Ok(pictures)
    }

    /// A file with one frame of 2x2 pixels and this image data: the code size, then blocks preceded by their lengths.
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
    fn interlaced_rows_are_reordered() {
        let stored_rows = [0, 8, 4, 2, 6, 1, 3, 5, 7];
        let buffer: Vec<u8> = stored_rows.iter().map(|row| row % 3).collect();
        let file = gif(1, 9, &[Frame { interlaced: true, buffer: buffer.into(), ..flat(1, 9, 0, 5) }]);
        assert_eq!(frames(&file).unwrap(), [[RED, GREEN, BLUE, RED, GREEN, BLUE, RED, GREEN, BLUE]]);
    }

    #[test]
    fn local_palette_applies_only_to_its_frame() {
        let local = Frame { palette: Some(vec![1, 2, 3, 4, 5, 6]), ..flat(1, 1, 1, 5) };
        assert_eq!(frames(&gif(1, 1, &[local, flat(1, 1, 1, 5)])).unwrap(), [[[4, 5, 6]], [GREEN]]);
    }

    #[test]
    fn frame_without_pixels_leaves_the_canvas_unchanged() {
        let nothing = with_image_data(&[2, 1, 0b100, 0]);
        let mut empty_frame = nothing.clone();
        let descriptor = nothing.len() - 1 - 4 - 10;
        empty_frame[descriptor + 5] = 0;
        assert_eq!(frames(&empty_frame).unwrap(), [[BACKDROP; 4]]);
        assert!(matches!(frames(&nothing), Err(ConvertError::Malformed(_))));
    }

    #[test]
    fn short_or_malformed_image_data_is_an_error_and_extra_data_is_skipped() {
        // Codes of three bits, from the lowest: clear (4), pixels (0 to 3), end (5).
        let four_red_pixels = [2, 2, 0b00_000_100, 0, 0];
        assert_eq!(frames(&with_image_data(&four_red_pixels)).unwrap(), [[RED; 4]]);
        let one_pixel = [2, 2, 0b01_000_100, 0b1, 0];
        let unknown_code = [2, 1, 0b00_111_100, 0];
        let bad_code_size = [13, 1, 0, 0];
        for broken in [&one_pixel[..], &unknown_code, &bad_code_size] {
            assert!(matches!(frames(&with_image_data(broken)), Err(ConvertError::Malformed(_))), "{broken:?}");
        }

        let mut surplus = with_image_data(&four_red_pixels);
        let large = gif(200, 200, &[flat(200, 200, 1, 5), flat(2, 2, 2, 5)]);
        surplus.clear();
        surplus.extend_from_slice(&large);
        let image = large.iter().position(|&byte| byte == 0x2c).unwrap();
        surplus[image + 5..image + 9].copy_from_slice(&[2, 0, 2, 0]);
        let pictures = frames(&surplus).unwrap();
        assert_eq!((pictures[0][0], pictures[0][2], pictures[1][0]), (GREEN, BACKDROP, BLUE));
    }

    #[test]
    fn damaged_file_yields_frames_or_an_error() {
        let whole = gif(9, 9, &[flat(9, 9, 1, 5), Frame { interlaced: true, ..flat(5, 9, 2, 5) }]);
        for position in 0..whole.len() {
            for value in [0, 1, 0x2c, 0x3b, 0x7f, 0xff] {
                let mut damaged = whole.clone();
                damaged[position] = value;
                // Any result is acceptable: the test checks that nothing panics and no loop is endless.
                let _ = frames(&damaged);
            }
        }
    }
}
