//! Reads the image data of a GIF: palette indices, row by row from the top.
//!
//! An image is complete once it has all of its pixels: a missing end code and extra data are not errors, as in browsers.

use crate::convert_error::ConvertError;
use crate::gif_blocks::GifImage;
use crate::lzw::decompress;

/// The passes of an interlaced image: its first row and the distance to the next.
const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

/// Reads one image after the other, and reuses its allocations.
#[derive(Default)]
pub(crate) struct GifPixels {
    indices: Vec<u8>,
    /// The rows of an interlaced image, in the order in which the file stores them.
    stored: Vec<u8>,
}

impl GifPixels {
    /// The palette indices of an image.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`] for invalid codes and for data with fewer pixels than the image has.
    pub(crate) fn read(&mut self, image: &GifImage<'_>) -> Result<&[u8], ConvertError> {
        let (width, height) = (usize::from(image.width), usize::from(image.height));
        self.indices.resize(width * height, 0);
        if self.indices.is_empty() {
            return Ok(&[]);
        }
        if image.interlaced {
            self.stored.resize(width * height, 0);
            decompress(image.code_size, image.data, &mut self.stored)?;
            let rows = PASSES.into_iter().flat_map(|(first, distance)| (first..height).step_by(distance));
            for (row, stored) in rows.zip(self.stored.chunks_exact(width)) {
                self.indices[row * width..(row + 1) * width].copy_from_slice(stored);
            }
        } else {
            decompress(image.code_size, image.data, &mut self.indices)?;
        }
        Ok(&self.indices)
    }
}
