//! Limits the memory for decompressing an xz file.
//!
//! Each block of such a file states the size of its dictionary, up to 4 GiB, and a decoder allocates that much before it reads the block.
//! The decoder itself has no limit. This reader follows the structure of the file (the .xz file format, version 1.2) as it passes through,
//! and fails before a block whose dictionary is too large.

use std::io::{self, Read};

/// The largest dictionary: that of `xz -9`.
pub(crate) const MAX_DICTIONARY_BYTES: u64 = 64 << 20;

const STREAM_HEADER: usize = 12;
const STREAM_FOOTER: u64 = 12;
const LZMA2: u64 = 0x21;

/// Passes an xz file through, and fails at a block whose dictionary is too large.
pub(crate) struct XzMemoryLimit<R> {
    file: R,
    position: Position,
    /// The relevant bytes of the current part.
    part: Vec<u8>,
    /// The number of bytes to skip before the next part.
    skip: u64,
    /// Bytes of the current block or index so far.
    length: u64,
    check_bytes: u64,
}

/// The kind of the next part.
#[derive(Clone, Copy)]
enum Position {
    /// The header of a stream, or padding before it.
    Stream,
    /// The header of a block, or the index.
    Block,
    /// A chunk of LZMA2, or the end of a block.
    Chunk,
    /// The index: `None` before the number of records, then how many integers are left.
    Index(Option<u64>),
}

impl<R: Read> XzMemoryLimit<R> {
    pub(crate) fn new(file: R) -> Self {
        Self { file, position: Position::Stream, part: Vec::new(), skip: 0, length: 0, check_bytes: 0 }
    }

    fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        loop {
            let skipped = self.skip.min(bytes.len() as u64);
            self.skip -= skipped;
            bytes = &bytes[skipped as usize..];
            let Some((byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.part.push(*byte);
            if self.is_complete() {
                self.enter_next()?;
                self.part.clear();
            }
        }
    }

    /// Whether the current part has reached the length that its first byte implies.
    fn is_complete(&self) -> bool {
        let length = match (self.position, self.part[0]) {
            // Padding.
            (Position::Stream, 0) => 1,
            (Position::Stream, _) => STREAM_HEADER,
            (Position::Block, 0) => 1,
            (Position::Block, size) => (usize::from(size) + 1) * 4,
            (Position::Chunk, 0) => 1,
            (Position::Chunk, 1 | 2) => 3,
            (Position::Chunk, _) => 5,
            (Position::Index(_), _) => return self.part.last().is_some_and(|byte| byte & 0x80 == 0) || self.part.len() > 9,
        };
        self.part.len() >= length
    }

    fn enter_next(&mut self) -> io::Result<()> {
        match (self.position, self.part[0]) {
            (Position::Stream, 0) => {}
            (Position::Stream, _) => {
                self.check_bytes = check_bytes(self.part[7] & 0x0f);
                self.position = Position::Block;
            }
            (Position::Block, 0) => {
                self.length = 1;
                self.position = Position::Index(None);
            }
            (Position::Block, _) => {
                let dictionary = dictionary_bytes(&self.part).ok_or_else(|| invalid("the header of a block is invalid"))?;
                if dictionary > MAX_DICTIONARY_BYTES {
                    return Err(io::Error::new(io::ErrorKind::OutOfMemory, DictionaryTooLarge(dictionary)));
                }
                // Header sizes are multiples of four, so they do not affect the padding of the block.
                self.length = 0;
                self.position = Position::Chunk;
            }
            (Position::Chunk, 0) => {
                self.length += 1;
                self.skip = padding(self.length) + self.check_bytes;
                self.position = Position::Block;
            }
            (Position::Chunk, 1 | 2) => self.skip_chunk(3, u64::from(self.part[1]) << 8 | u64::from(self.part[2])),
            (Position::Chunk, control @ 0x80..) => {
                let properties = u64::from(control >= 0xc0);
                self.skip_chunk(5, (u64::from(self.part[3]) << 8 | u64::from(self.part[4])) + properties);
            }
            (Position::Chunk, _) => return Err(invalid("a block is invalid")),
            (Position::Index(numbers), _) => self.enter_index(numbers)?,
        }
        Ok(())
    }

    /// Skips the data of a chunk. Its header states the length minus one.
    fn skip_chunk(&mut self, header: u64, stated: u64) {
        self.skip = stated + 1;
        self.length += header + self.skip;
    }

    /// Handles a number of the index: the first says how many records follow, of two numbers each.
    fn enter_index(&mut self, numbers: Option<u64>) -> io::Result<()> {
        self.length += self.part.len() as u64;
        let too_long = || invalid("the index is invalid");
        let left = match numbers {
            None => number(&mut self.part.as_slice()).and_then(|records| records.checked_mul(2)).ok_or_else(too_long)?,
            Some(left) => left - 1,
        };
        self.position = Position::Index(Some(left));
        if left == 0 {
            self.skip = padding(self.length) + 4 + STREAM_FOOTER;
            self.position = Position::Stream;
        }
        Ok(())
    }
}

impl<R: Read> Read for XzMemoryLimit<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.follow(&buffer[..read])?;
        Ok(read)
    }
}

/// A block needs a larger dictionary than [`MAX_DICTIONARY_BYTES`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "decompressing it requires a dictionary of {} MiB, which is more than the limit of {} MiB; compress it with `xz -9` or less",
    .0.div_ceil(1 << 20), MAX_DICTIONARY_BYTES >> 20
)]
struct DictionaryTooLarge(u64);

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The number of bytes to the next multiple of four.
fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

/// The size of the check of a block, by its type.
fn check_bytes(check: u8) -> u64 {
    [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64][usize::from(check)]
}

/// The size of the dictionary, as stated in the header of a block.
fn dictionary_bytes(header: &[u8]) -> Option<u64> {
    let flags = *header.get(1)?;
    let mut rest = header.get(2..)?;
    for has_size in [flags & 0x40 != 0, flags & 0x80 != 0] {
        if has_size {
            number(&mut rest)?;
        }
    }
    for _ in 0..=flags & 3 {
        let (filter, length) = (number(&mut rest)?, number(&mut rest)?);
        let (properties, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        rest = after;
        if filter == LZMA2 {
            return match properties {
                [40] => Some(u64::from(u32::MAX)),
                [bits @ 0..40] => Some((2 | u64::from(bits & 1)) << (bits / 2 + 11)),
                _ => None,
            };
        }
    }
    None
}

/// Reads a variable-length integer.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file whose blocks have this many bytes, with a dictionary of this size.
    fn compressed(text: &[u8], dictionary: u32, block: Option<u64>) -> Vec<u8> {
        let mut options = lzma_rust2::XzOptions::with_preset(1);
        options.lzma_options.dict_size = dictionary;
        options.block_size = block.and_then(std::num::NonZeroU64::new);
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    fn text() -> Vec<u8> {
        (0..200_000u32).flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 12).to_string().into_bytes()).collect()
    }

    /// Reads a file in pieces of this size.
    fn read(file: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let (mut limited, mut buffer, mut all) = (XzMemoryLimit::new(file), vec![0; piece], Vec::new());
        loop {
            match limited.read(&mut buffer)? {
                0 => return Ok(all),
                count => all.extend(&buffer[..count]),
            }
        }
    }

    #[test]
    fn file_with_dictionaries_within_the_limit_passes_unchanged() {
        let text = text();
        for block in [None, Some(1 << 16)] {
            let one = compressed(&text, 1 << 20, block);
            let file = [&one[..], &[0; 8], &one, &compressed(b"", 1 << 20, None)].concat();
            for piece in [1, 7, 4096, 1 << 20] {
                assert!(read(&file, piece).unwrap() == file, "{block:?} {piece}");
            }
        }
    }

    #[test]
    fn block_with_a_large_dictionary_is_refused_at_any_position() {
        let (small, large) = (compressed(&text(), 1 << 16, Some(1 << 16)), compressed(b"large", 65 << 20, None));
        for file in [large.clone(), [small.clone(), large.clone()].concat(), [small, vec![0; 4], large].concat()] {
            let error = read(&file, 100).unwrap_err();
            assert!(error.to_string().contains("a dictionary of 96 MiB, which is more than the limit of 64 MiB"), "{error}");
        }
        let mut largest = compressed(b"large", 1 << 16, None);
        let properties = largest.windows(2).position(|bytes| bytes == [0x21, 1]).unwrap() + 2;
        largest[properties] = 40;
        assert!(read(&largest, 4).unwrap_err().to_string().contains("4096 MiB"));
    }

    #[test]
    fn reading_a_damaged_file_succeeds_or_fails_but_never_panics() {
        let file = compressed(&text()[..5000], 1 << 16, Some(1 << 10));
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0xff;
            let _ = read(&damaged, 64);
        }
    }
}
