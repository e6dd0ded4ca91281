//! The frames of the index log: records that are written together, with a checksum.
//!
//! The checksum also covers the generation of the file and the number of the frame, so that remnants of an older or a different file are
//! never mistaken for a part of this one. Reading ends at the first frame that is not intact.

/// The first bytes of a frame. A file that begins with anything else has another version and is not read.
const MAGIC: [u8; 8] = *b"mc-log\x00\x01";

/// The bytes before the records: magic, generation, number, length, checksum.
pub const HEAD: usize = 8 + 8 + 4 + 4 + 4;

/// The maximum total size of the records in a frame, in bytes. A frame that exceeds it counts as damaged.
pub const MAX_BYTES: usize = 1 << 22;

/// A frame with records. `generation` is that of the file, and `number` counts its frames from 0.
#[must_use]
pub fn write_frame(generation: u64, number: u32, records: &[u8]) -> Vec<u8> {
    let length = u32::try_from(records.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD + records.len());
    frame.extend(MAGIC);
    frame.extend(generation.to_le_bytes());
    frame.extend(number.to_le_bytes());
    frame.extend(length.to_le_bytes());
    frame.extend(checksum(generation, number, records).to_le_bytes());
    frame.extend(records);
    frame
}

/// The generation of a file that begins with these bytes.
#[must_use]
pub fn generation_of(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_prefix(&MAGIC)?;
    rest.first_chunk().copied().map(u64::from_le_bytes)
}

/// The result of reading a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// An intact frame.
    Frame {
        /// The generation of the file.
        generation: u64,
        /// The records.
        records: &'a [u8],
        /// The length of the frame in bytes.
        length: usize,
    },
    /// The bytes may be the beginning of a frame; more are needed.
    Incomplete,
    /// The bytes are not an intact frame.
    Damaged,
}

/// Reads the frame with this number at the start of `bytes`. `generation` is that of the file, or `None` for its first frame.
#[must_use]
pub fn read_frame(bytes: &[u8], generation: Option<u64>, number: u32) -> Read<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Read::Incomplete };
    let at = |start: usize| u64::from_le_bytes(std::array::from_fn(|byte| head.get(start + byte).copied().unwrap_or(0)));
    let (magic, found, counted, length, sum) = (&head[..8], at(8), at(16) as u32, (at(16) >> 32) as usize, at(24) as u32);
    if magic != MAGIC || generation.is_some_and(|generation| generation != found) || counted != number || length > MAX_BYTES {
        return Read::Damaged;
    }
    let Some(records) = rest.get(..length) else { return Read::Incomplete };
    if checksum(found, number, records) != sum {
        return Read::Damaged;
    }
    Read::Frame { generation: found, records, length: HEAD + length }
}

fn checksum(generation: u64, number: u32, records: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(&(records.len() as u64).to_le_bytes());
    hasher.update(records);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_is_read_back_only_with_its_generation_number_and_full_length() {
        let frame = write_frame(7, 3, b"records");
        let intact = Read::Frame { generation: 7, records: b"records", length: frame.len() };
        assert_eq!(read_frame(&frame, None, 3), intact);
        assert_eq!((generation_of(&frame), generation_of(b"mc-log\x00\x02generation")), (Some(7), None));
        assert_eq!(read_frame(&[&frame[..], b"more"].concat(), Some(7), 3), intact);
        assert_eq!(read_frame(&frame, Some(8), 3), Read::Damaged, "another generation");
        assert_eq!(read_frame(&frame, Some(7), 4), Read::Damaged, "another number");
        for length in 0..frame.len() {
            assert_eq!(read_frame(&frame[..length], None, 3), Read::Incomplete);
        }
    }

    #[test]
    fn frame_with_any_flipped_bit_is_rejected() {
        let frame = write_frame(7, 3, b"records");
        for bit in 0..frame.len() * 8 {
            let mut changed = frame.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(read_frame(&changed, Some(7), 3), Read::Frame { .. }), "bit {bit}");
        }
    }
}
