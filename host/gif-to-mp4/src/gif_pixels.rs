//! Decompresses the image data of a GIF: palette indices, row by row from the top.
//!
//! An image is complete once it has all of its pixels: a missing end code and surplus data are no errors, as in browsers.

use weezl::decode::{Configuration, Decoder};
use weezl::{BitOrder, LzwStatus};

use crate::convert_error::ConvertError;
use crate::gif_blocks::GifImage;

/// The most bits that a palette index may have in the compressed data, since codes have one more, and 12 at most. (Chromium takes 8,
/// Firefox 11.)
const MAX_CODE_SIZE: u8 = 11;

/// The passes of an interlaced image: its first row and the distance to the next.
const PASSES: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

/// Decompresses one image after the other, and reuses what it allocated.
#[derive(Default)]
pub(crate) struct GifPixels {
    indices: Vec<u8>,
    decoder: Option<(u8, Decoder)>,
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
        if image.code_size > MAX_CODE_SIZE {
            return Err(malformed("invalid code size"));
        }
        let decoder = match &mut self.decoder {
            Some((code_size, decoder)) if *code_size == image.code_size => {
                decoder.reset();
                decoder
            }
            other => {
                let configuration = Configuration::new(BitOrder::Lsb, image.code_size).with_yield_on_full_buffer(true);
                &mut other.insert((image.code_size, configuration.build())).1
            }
        };
        let mut data = Data { block: &[], blocks: image.data };
        if image.interlaced {
            for row in PASSES.into_iter().flat_map(|(first, distance)| (first..height).step_by(distance)) {
                data.decompress(decoder, &mut self.indices[row * width..(row + 1) * width])?;
            }
        } else {
            data.decompress(decoder, &mut self.indices)?;
        }
        Ok(&self.indices)
    }
}

/// Compressed data that is left: the rest of a block, and the blocks after it.
struct Data<'a> {
    block: &'a [u8],
    blocks: &'a [u8],
}

impl Data<'_> {
    /// Fills a buffer.
    fn decompress(&mut self, decoder: &mut Decoder, mut pixels: &mut [u8]) -> Result<(), ConvertError> {
        let mut stalled = false;
        while !pixels.is_empty() {
            if self.block.is_empty() {
                self.next_block();
            }
            let step = decoder.decode_bytes(self.block, pixels);
            let progress = step.consumed_in > 0 || step.consumed_out > 0;
            self.block = &self.block[step.consumed_in..];
            pixels = &mut pixels[step.consumed_out..];
            let ended = match step.status {
                Ok(LzwStatus::Done) => true,
                // Once is not enough: a clear code among the bits that it has already taken is no visible progress.
                Ok(LzwStatus::NoProgress) if !progress => std::mem::replace(&mut stalled, true),
                Ok(LzwStatus::Ok | LzwStatus::NoProgress) => {
                    stalled = false;
                    false
                }
                Err(_) => return Err(malformed("invalid code in the image data")),
            };
            if ended && !pixels.is_empty() {
                return Err(malformed("an image has fewer pixels than its size says"));
            }
        }
        Ok(())
    }

    fn next_block(&mut self) {
        if let Some((&length, rest)) = self.blocks.split_first()
            && let Some((block, rest)) = rest.split_at_checked(length.into())
        {
            (self.block, self.blocks) = (block, rest);
        }
    }
}

fn malformed(what: &str) -> ConvertError {
    ConvertError::Malformed(what.into())
}
