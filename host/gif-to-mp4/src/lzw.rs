//! LZW as used in GIFs.
//!
//! Where the specification is ambiguous, this follows Chromium: the first code need not be a clear code, codes stay at 12 bits while the
//! table is full, and the width grows as soon as the next entry needs it, even after the first code (for a code size of 1, which the
//! specification forbids).

use crate::convert_error::ConvertError;

/// Bits of the longest code.
const MAX_WIDTH: u32 = 12;

/// The maximum number of bits of a palette index in the compressed data; codes have one more. (Chromium accepts 8, Firefox 11.)
const MAX_CODE_SIZE: u8 = 11;

/// The position of a string in the output. The string of a new code is the string of the last code and the byte after it.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    length: usize,
}

/// Fills a buffer with decompressed palette indices. Codes after the last index are ignored, and no end code is required.
///
/// `blocks` are pieces of the compressed data, each preceded by its length.
///
/// # Errors
/// [`ConvertError::Malformed`] for an invalid code size, for invalid codes and for data that ends too early.
pub(crate) fn decompress(code_size: u8, blocks: &[u8], output: &mut [u8]) -> Result<(), ConvertError> {
    if code_size > MAX_CODE_SIZE {
        return Err(malformed("invalid code size"));
    }
    let clear = 1 << code_size;
    let end = clear + 1;
    let mut codes = Codes { block: &[], blocks, bits: 0, available: 0 };
    let mut width = u32::from(code_size) + 1;
    let mut strings: Vec<Span> = Vec::new();
    let mut last: Option<Span> = None;
    let mut written = 0;
    while written < output.len() {
        let code = codes.next(width).filter(|&code| code != end);
        let code = code.ok_or_else(|| malformed("an image has fewer pixels than its size requires"))?;
        if code == clear {
            strings.clear();
            last = None;
            width = u32::from(code_size) + 1;
            continue;
        }
        if let Some(Span { start, length }) = last
            && end + strings.len() + 1 < 1 << MAX_WIDTH
        {
            strings.push(Span { start, length: length + 1 });
        }
        let mut length = 1;
        if code < clear {
            // With a code size above 8, as in Firefox.
            output[written] = (code & 0xff) as u8;
        } else {
            let string = strings.get(code - end - 1).ok_or_else(|| malformed("invalid code in the image data"))?;
            length = string.length.min(output.len() - written);
            // The string may end with the byte that it starts to write.
            let but_one = string.start + length - 1;
            output.copy_within(string.start..but_one, written);
            output[written + length - 1] = output[but_one];
        }
        last = Some(Span { start: written, length });
        written += length;
        if end + strings.len() + 1 == 1 << width && width < MAX_WIDTH {
            width += 1;
        }
    }
    Ok(())
}

/// The remaining codes in the blocks, lowest bit first.
struct Codes<'a> {
    block: &'a [u8],
    blocks: &'a [u8],
    bits: u32,
    available: u32,
}

impl Codes<'_> {
    fn next(&mut self, width: u32) -> Option<usize> {
        while self.available < width {
            self.bits |= u32::from(self.next_byte()?) << self.available;
            self.available += 8;
        }
        let code = self.bits & ((1 << width) - 1);
        self.bits >>= width;
        self.available -= width;
        usize::try_from(code).ok()
    }

    fn next_byte(&mut self) -> Option<u8> {
        while self.block.is_empty() {
            let (&length, rest) = self.blocks.split_first()?;
            (self.block, self.blocks) = rest.split_at_checked(length.into())?;
        }
        let (&byte, rest) = self.block.split_first()?;
        self.block = rest;
        Some(byte)
    }
}

fn malformed(what: &str) -> ConvertError {
    ConvertError::Malformed(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks with these codes, each with its width.
    fn blocks(codes: &[(u32, u32)]) -> Vec<u8> {
        let bits: Vec<bool> = codes.iter().flat_map(|(code, width)| (0..*width).map(move |bit| code >> bit & 1 == 1)).collect();
        let bytes = bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        in_blocks(&bytes.collect::<Vec<u8>>())
    }

    fn in_blocks(bytes: &[u8]) -> Vec<u8> {
        bytes.chunks(255).flat_map(|block| [&[u8::try_from(block.len()).unwrap()], block].concat()).collect()
    }

    fn decompressed(code_size: u8, blocks: &[u8], length: usize) -> Result<Vec<u8>, String> {
        let mut output = vec![0; length];
        decompress(code_size, blocks, &mut output).map(|()| output).map_err(|error| error.to_string())
    }

    #[test]
    fn code_may_refer_to_the_string_that_is_being_added() {
        let codes = blocks(&[(4, 3), (1, 3), (6, 3), (7, 3), (5, 4)]);
        assert_eq!(decompressed(2, &codes, 6).unwrap(), [1; 6]);
        assert_eq!(decompressed(2, &codes, 5).unwrap(), [1; 5], "cut off within the last string");
        assert!(decompressed(2, &codes, 7).unwrap_err().ends_with("fewer pixels than its size requires"));
    }

    #[test]
    fn first_code_after_a_clear_code_uses_the_new_table() {
        let codes = blocks(&[(2, 3), (3, 3), (4, 3), (1, 3), (1, 3), (6, 3), (4, 4), (0, 3), (6, 3), (5, 3)]);
        assert_eq!(decompressed(2, &codes, 9).unwrap(), [2, 3, 1, 1, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn first_code_of_a_table_cannot_refer_to_a_string_not_yet_added() {
        assert_eq!(decompressed(2, &blocks(&[(1, 3), (6, 3)]), 3).unwrap(), [1; 3]);
        for codes in [&[(6, 3)][..], &[(4, 3), (6, 3)], &[(4, 3), (1, 3), (7, 3)]] {
            assert!(decompressed(2, &blocks(codes), 3).unwrap_err().ends_with("invalid code in the image data"), "{codes:?}");
        }
    }

    #[test]
    fn width_grows_as_soon_as_the_next_entry_needs_it_and_stays_at_twelve_bits() {
        for code_size in 1..=8_u8 {
            let colours = 1_u32 << code_size;
            // Only colours, so that every code except the first adds an entry, and no clear code once the table is full.
            let width = |code: u32| (32 - (colours + 2 + code - 1).leading_zeros()).min(MAX_WIDTH);
            let codes = (0..5000).map(|code| (code % colours, if code == 0 { u32::from(code_size) + 1 } else { width(code) }));
            let codes: Vec<(u32, u32)> = codes.collect();
            let expected: Vec<u8> = codes.iter().map(|&(code, _)| u8::try_from(code).unwrap()).collect();
            assert_eq!(decompressed(code_size, &blocks(&codes), 5000).unwrap(), expected, "{code_size}");
        }
    }

    #[test]
    fn data_from_another_encoder_is_decompressed() {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for code_size in 2..=8 {
            let mask = 0xff >> (8 - code_size);
            let mut pixels: Vec<u8> = (0..40_000).map(|_| byte() & mask).collect();
            pixels.extend((0..40_000).map(|pixel| (pixel / 700) as u8 & mask));
            let compressed = weezl::encode::Encoder::new(weezl::BitOrder::Lsb, code_size).encode(&pixels).unwrap();
            assert!(decompressed(code_size, &in_blocks(&compressed), pixels.len()).unwrap() == pixels, "{code_size}");
        }
    }
}
