//! Converts the canvas to the input of an H.264 encoder: I420, limited range, at a size that the encoder accepts.
//!
//! Width and height are rounded up by repeating the last column and row, never by scaling. Every source pixel therefore keeps its place,
//! and the padding does not bleed a different colour into it.

use crate::canvas::{Canvas, Pixel};

/// The smallest picture that OpenH264 accepts: one macroblock of 16x16 pixels.
const MIN_SIDE: usize = 16;

/// From this height on, in lines, video is high definition and players expect BT.709.
const HD_LINES: usize = 720;

/// The matrix that splits a colour into luma and chroma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// BT.601, standard definition.
    Bt601,
    /// BT.709, high definition.
    Bt709,
}

/// Size and colour matrix of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFormat {
    /// Width in pixels: even, at least 16.
    pub width: usize,
    /// Height in pixels: even, at least 16.
    pub height: usize,
    /// The matrix that the colours are converted with and tagged as.
    pub matrix: Matrix,
}

impl VideoFormat {
    /// The smallest video that holds a canvas of this size in pixels.
    pub fn for_canvas(width: u16, height: u16) -> Self {
        let round_up = |side: u16| usize::from(side).next_multiple_of(2).max(MIN_SIDE);
        let (width, height) = (round_up(width), round_up(height));
        Self { width, height, matrix: if height < HD_LINES { Matrix::Bt601 } else { Matrix::Bt709 } }
    }
}

/// A picture in I420: a plane of luma, then two planes of chroma at half the width and half the height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct I420 {
    /// Size and colour matrix.
    pub format: VideoFormat,
    /// The three planes, without gaps.
    pub bytes: Vec<u8>,
}

impl I420 {
    /// A picture to convert into.
    pub fn new(format: VideoFormat) -> Self {
        Self { format, bytes: vec![0; format.width * format.height * 3 / 2] }
    }

    /// Luma, blue-difference chroma and red-difference chroma.
    #[cfg(any(feature = "openh264", feature = "fuzzing", test))]
    pub fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let (luma, chroma) = self.bytes.split_at(self.format.width * self.format.height);
        let (blue, red) = chroma.split_at(chroma.len() / 2);
        (luma, blue, red)
    }

    /// Converts a canvas. Its format, by [`VideoFormat::for_canvas`], must be that of this picture.
    pub fn convert(&mut self, canvas: &Canvas) {
        self.convert_rows(canvas, |_| true);
    }

    /// Converts the parts of a canvas that the last frame may have changed. The canvas must have been converted into this picture before
    /// that frame was drawn. Returns whether the picture has changed.
    pub(crate) fn update(&mut self, canvas: &Canvas) -> bool {
        self.convert_rows(canvas, |pair| canvas.has_changed(pair * 2) || canvas.has_changed(pair * 2 + 1))
    }

    /// Converts some pairs of rows, and returns whether any of them has changed.
    fn convert_rows(&mut self, canvas: &Canvas, wanted: impl Fn(usize) -> bool) -> bool {
        let VideoFormat { width, height, matrix } = self.format;
        let weights = matrix.weights();
        let (all_luma, chroma) = self.bytes.split_at_mut(width * height);
        let (all_blue, all_red) = chroma.split_at_mut(chroma.len() / 2);
        let mut converted = vec![0; width * 3];
        let mut changed = false;
        for pair in (0..height / 2).filter(|&pair| wanted(pair)) {
            let (upper, lower) = (canvas.row_or_last(pair * 2), canvas.row_or_last(pair * 2 + 1));
            let (luma, chroma) = converted.split_at_mut(width * 2);
            let (upper_luma, lower_luma) = luma.split_at_mut(width);
            let (blue, red) = chroma.split_at_mut(width / 2);
            weights.luma_row(upper, upper_luma);
            weights.luma_row(lower, lower_luma);
            weights.chroma_row(upper, lower, blue, red);
            changed |= replace(&mut all_luma[pair * width * 2..][..width * 2], luma);
            changed |= replace(&mut all_blue[pair * width / 2..][..width / 2], blue);
            changed |= replace(&mut all_red[pair * width / 2..][..width / 2], red);
        }
        changed
    }
}

/// Replaces values, and returns whether they have changed.
fn replace(values: &mut [u8], by: &[u8]) -> bool {
    let changed = values != by;
    if changed {
        values.copy_from_slice(by);
    }
    changed
}

/// Fractional bits of [`Weights`].
const FRACTION: u32 = 16;

/// The contributions of red, green and blue to luma and to both chroma signals, in fixed point and scaled to the limited range.
#[derive(Debug, Clone, Copy)]
struct Weights {
    luma: [i32; 3],
    blue: [i32; 3],
    red: [i32; 3],
}

const BT601: Weights = Weights::new(0.299, 0.114);
const BT709: Weights = Weights::new(0.2126, 0.0722);

impl Matrix {
    const fn weights(self) -> Weights {
        match self {
            Self::Bt601 => BT601,
            Self::Bt709 => BT709,
        }
    }
}

impl Weights {
    /// The weights of a matrix that is defined, as in the standards, by the luma of pure red and of pure blue.
    const fn new(red: f64, blue: f64) -> Self {
        let luma = [fixed(red * 219.0 / 255.0), 0, fixed(blue * 219.0 / 255.0)];
        // Green gets the remainder, so that rounding cannot make white exceed the range or give grey a tint.
        let luma = [luma[0], fixed(219.0 / 255.0) - luma[0] - luma[2], luma[2]];
        let half = 112.0 / 255.0;
        let (blue_by_red, blue_by_blue) = (fixed(-half * red / (1.0 - blue)), fixed(half));
        let (red_by_red, red_by_blue) = (fixed(half), fixed(-half * blue / (1.0 - red)));
        Self {
            luma,
            blue: [blue_by_red, -blue_by_red - blue_by_blue, blue_by_blue],
            red: [red_by_red, -red_by_red - red_by_blue, red_by_blue],
        }
    }

    /// The luma of one row; the last value is repeated to the end of the output.
    fn luma_row(&self, pixels: &[Pixel], luma: &mut [u8]) {
        for (luma, &pixel) in luma.iter_mut().zip(pixels) {
            *luma = scale(self.luma, [pixel[0].into(), pixel[1].into(), pixel[2].into()], 0, 16);
        }
        if let Some(&last) = luma.get(pixels.len() - 1) {
            luma[pixels.len()..].fill(last);
        }
    }

    /// The chroma of two rows: one value per plane for four pixels.
    fn chroma_row(&self, upper: &[Pixel], lower: &[Pixel], blue: &mut [u8], red: &mut [u8]) {
        let (upper_pairs, lower_pairs) = (upper.as_chunks().0, lower.as_chunks().0);
        let whole = upper_pairs.len().min(blue.len());
        let (blue, blue_edge) = blue.split_at_mut(whole);
        let (red, red_edge) = red.split_at_mut(whole);
        for (((upper, lower), blue), red) in upper_pairs.iter().zip(lower_pairs).zip(blue).zip(red) {
            (*blue, *red) = self.chroma(*upper, *lower);
        }
        if let (Some(&upper), Some(&lower)) = (upper.last(), lower.last()) {
            let (blue, red) = self.chroma([upper; 2], [lower; 2]);
            blue_edge.fill(blue);
            red_edge.fill(red);
        }
    }

    /// The chroma of four pixels.
    #[inline]
    fn chroma(&self, [upper_left, upper_right]: [Pixel; 2], [lower_left, lower_right]: [Pixel; 2]) -> (u8, u8) {
        let sum = |channel: usize| {
            let upper = i32::from(upper_left[channel]) + i32::from(upper_right[channel]);
            upper + i32::from(lower_left[channel]) + i32::from(lower_right[channel])
        };
        let sums = [sum(0), sum(1), sum(2)];
        (scale(self.blue, sums, 2, 128), scale(self.red, sums, 2, 128))
    }
}

/// A weighted sum, divided by two to the power of `shift`, rounded, plus the offset.
fn scale(weights: [i32; 3], channels: [i32; 3], shift: u32, offset: i32) -> u8 {
    let bits = FRACTION + shift;
    let sum = weights[0] * channels[0] + weights[1] * channels[1] + weights[2] * channels[2];
    // The weights keep the result within 16..=240.
    ((sum + (1 << (bits - 1))) >> bits).wrapping_add(offset) as u8
}

/// A number in fixed point, rounded.
const fn fixed(number: f64) -> i32 {
    (number * (1 << FRACTION) as f64 + if number < 0.0 { -0.5 } else { 0.5 }) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{DisposalMethod, Image};

    fn picture(width: u16, pixels: &[Pixel]) -> I420 {
        let height = u16::try_from(pixels.len()).unwrap() / width;
        let mut canvas = Canvas::new(width, height);
        let indices: Vec<u8> = (0..u8::try_from(pixels.len()).unwrap()).collect();
        let palette = pixels.concat();
        let disposal = DisposalMethod::Keep;
        let (left, top, columns) = (0, 0, usize::from(width));
        canvas.draw(&Image { left, top, width: columns, indices: &indices, palette: &palette, transparent: None, disposal });
        let mut i420 = I420::new(VideoFormat::for_canvas(width, height));
        i420.convert(&canvas);
        i420
    }

    /// The first value of each plane.
    fn first(i420: &I420) -> [u8; 3] {
        let (luma, blue, red) = i420.planes();
        [luma[0], blue[0], red[0]]
    }

    #[test]
    fn colours_convert_to_the_values_of_the_standards() {
        let convert = |matrix: Matrix, pixel: Pixel| {
            let channels = pixel.map(i32::from);
            let weights = matrix.weights();
            [scale(weights.luma, channels, 0, 16), scale(weights.blue, channels, 0, 128), scale(weights.red, channels, 0, 128)]
        };
        assert_eq!(convert(Matrix::Bt601, [255, 0, 0]), [81, 90, 240]);
        assert_eq!(convert(Matrix::Bt601, [0, 255, 0]), [145, 54, 34]);
        assert_eq!(convert(Matrix::Bt601, [0, 0, 255]), [41, 240, 110]);
        assert_eq!(convert(Matrix::Bt709, [255, 0, 0]), [63, 102, 240]);
        assert_eq!(convert(Matrix::Bt709, [0, 255, 0]), [173, 42, 26]);
        assert_eq!(convert(Matrix::Bt709, [0, 0, 255]), [32, 240, 118]);
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            assert_eq!(convert(matrix, [0; 3]), [16, 128, 128]);
            assert_eq!(convert(matrix, [255; 3]), [235, 128, 128]);
            for grey in 0..=255 {
                assert_eq!(convert(matrix, [grey; 3])[1..], [128, 128]);
            }
        }
    }

    #[test]
    fn chroma_is_the_mean_of_four_pixels() {
        let mixed = picture(2, &[[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]);
        let mean = |of: [i32; 4]| u8::try_from((of.iter().sum::<i32>() + 2) / 4).unwrap();
        assert_eq!(first(&mixed), [81, mean([90, 54, 240, 128]), mean([240, 34, 110, 128])]);
    }

    #[test]
    fn odd_or_small_canvas_is_padded_with_its_last_column_and_row() {
        let i420 = picture(3, &[[0; 3], [0; 3], [255, 0, 0], [0; 3], [0; 3], [255, 0, 0], [255; 3], [255; 3], [0, 0, 255]]);
        assert_eq!((i420.format.width, i420.format.height), (16, 16));
        let (luma, blue, _) = i420.planes();
        for (row, luma) in luma.chunks(16).enumerate() {
            let (start, last) = if row < 2 { (16, 81) } else { (235, 41) };
            assert_eq!(luma[..2], [start; 2], "row {row}");
            assert_eq!(luma[2..], [last; 14], "row {row}");
        }
        for (row, blue) in blue.chunks(8).enumerate() {
            assert_eq!(blue[0], 128, "row {row}");
            assert_eq!(blue[1..], [if row < 1 { 90 } else { 240 }; 7], "row {row}");
        }
    }

    #[test]
    fn width_and_height_are_rounded_up_to_even_and_the_matrix_depends_on_the_height() {
        let format = |width, height| {
            let VideoFormat { width, height, matrix } = VideoFormat::for_canvas(width, height);
            (width, height, matrix)
        };
        assert_eq!(format(1, 1), (16, 16, Matrix::Bt601));
        assert_eq!(format(480, 271), (480, 272, Matrix::Bt601));
        assert_eq!(format(1279, 718), (1280, 718, Matrix::Bt601));
        assert_eq!(format(1280, 720), (1280, 720, Matrix::Bt709));
    }

    #[test]
    fn update_produces_the_same_picture_as_a_full_conversion() {
        let palette: Vec<u8> = (0..=255).flat_map(|value: u8| [value, value.wrapping_mul(7), value.wrapping_mul(31)]).collect();
        for (width, height) in [(1, 1), (5, 7), (20, 31), (33, 40)] {
            let mut canvas = Canvas::new(width, height);
            let mut updated = I420::new(VideoFormat::for_canvas(width, height));
            updated.convert(&canvas);
            for number in 0..60_usize {
                let disposal = [DisposalMethod::Keep, DisposalMethod::Background, DisposalMethod::Previous][number % 3];
                let (left, top, columns, rows) = (number * 5 % 30, number * 7 % 40, 1 + number % 6, number * 3 % 5);
                let indices: Vec<u8> = (0..columns * rows).map(|at| ((at + number / 2) * 11 % 256) as u8).collect();
                canvas.draw(&Image {
                    left,
                    top,
                    width: columns,
                    indices: &indices,
                    palette: &palette,
                    transparent: None,
                    disposal,
                });
                let before = updated.clone();
                let changed = updated.update(&canvas);
                let mut whole = I420::new(updated.format);
                whole.convert(&canvas);
                assert!(updated == whole, "frame {number} of {width}x{height}");
                assert_eq!(changed, updated != before, "frame {number} of {width}x{height}");
            }
        }
    }
}
