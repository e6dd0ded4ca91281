//! The bits of a NAL unit, highest first. Reading removes the bytes that prevent start codes, and writing inserts them.

/// The number of zeros after the bytes of a unit, so that reading ahead needs no check.
const PADDING: usize = 8;

/// Reads a NAL unit. Zeros follow its end.
pub(super) struct BitReader {
    bytes: Vec<u8>,
    position: usize,
    /// The position of the bit that ends the unit.
    end: usize,
}

impl BitReader {
    /// Reads the payload of a unit, which follows its header of one byte. `None` if it has no end.
    pub(super) fn new(payload: &[u8]) -> Option<Self> {
        let mut bytes = Vec::with_capacity(payload.len() + PADDING);
        let mut zeros = 0;
        for &byte in payload {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        let last = bytes.iter().rposition(|&byte| byte != 0)?;
        let end = last * 8 + 7 - usize::try_from(bytes[last].trailing_zeros()).ok()?;
        bytes.resize(bytes.len() + PADDING, 0);
        Some(Self { bytes, position: 0, end })
    }

    /// Whether the unit has more bits.
    pub(super) fn has_more(&self) -> bool {
        self.position < self.end
    }

    /// The position in bits.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next bits, at most 32, without advancing.
    pub(super) fn peek(&self, count: u32) -> u32 {
        let start = self.position / 8;
        let next = self.bytes.get(start..start + PADDING).and_then(|bytes| bytes.first_chunk::<PADDING>());
        let bits = u64::from_be_bytes(next.copied().unwrap_or_default()) << (self.position % 8);
        if count == 0 { 0 } else { (bits >> (64 - count)) as u32 }
    }

    /// Advances by a number of bits.
    pub(super) fn skip(&mut self, count: u32) {
        self.position += count as usize;
    }

    /// The next bits, at most 32. `None` past the end.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        let bits = self.peek(count);
        self.skip(count);
        (self.position <= self.end).then_some(bits)
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.bits(1).map(|bit| bit == 1)
    }

    /// A number in Exp-Golomb code: `ue(v)`.
    pub(super) fn number(&mut self) -> Option<u32> {
        let zeros = self.peek(32).leading_zeros();
        if zeros > 15 {
            return None;
        }
        self.skip(zeros);
        Some(self.bits(zeros + 1)? - 1)
    }

    /// A number in Exp-Golomb code with a sign: `se(v)`.
    pub(super) fn signed(&mut self) -> Option<i32> {
        let number = i32::try_from(self.number()?).ok()?;
        Some(if number % 2 == 1 { number / 2 + 1 } else { -(number / 2) })
    }
}

/// Collects bits.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The number of free bits in the last byte.
    free: u32,
}

impl BitWriter {
    /// Appends the lowest bits, at most 32.
    pub(super) fn bits(&mut self, bits: u32, count: u32) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((bits >> bit & 1) as u8) << self.free;
            }
        }
    }

    /// Copies bits of a unit.
    pub(super) fn copy(&mut self, reader: &mut BitReader, mut count: usize) {
        while count > 0 {
            let step = count.min(32);
            // At most 32.
            let bits = step as u32;
            self.bits(reader.peek(bits), bits);
            reader.skip(bits);
            count -= step;
        }
    }

    /// The bytes, with the last one padded with ones.
    pub(super) fn aligned_with_ones(mut self) -> Vec<u8> {
        self.bits(u32::MAX, self.free);
        self.bytes
    }

    /// The bytes, with the bit that ends a unit.
    pub(super) fn ended(mut self) -> Vec<u8> {
        self.bits(1, 1);
        self.bytes
    }
}

/// A unit with this header and payload, in which nothing looks like a start code.
pub(super) fn escaped(header: u8, payload: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut unit = vec![header];
    let mut zeros = 0;
    for byte in payload {
        if zeros == 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_numbers_and_plain_bits_are_read() {
        let mut writer = BitWriter::default();
        for (bits, count) in [(0b1, 1), (0b010, 3), (0b011, 3), (0b00100, 5), (0b00101, 5), (0b1_0110, 5)] {
            writer.bits(bits, count);
        }
        let mut reader = BitReader::new(&writer.ended()).unwrap();
        assert_eq!([reader.number(), reader.number()], [Some(0), Some(1)]);
        assert_eq!((reader.signed(), reader.number(), reader.signed()), (Some(-1), Some(3), Some(-2)));
        assert!(reader.has_more());
        assert_eq!((reader.bits(5), reader.has_more(), reader.flag()), (Some(0b1_0110), false, None));
    }

    #[test]
    fn start_codes_are_escaped_and_restored() {
        let payload = [0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0x80];
        let unit = escaped(0x65, payload);
        assert!(!unit.windows(3).any(|bytes| bytes[..2] == [0, 0] && bytes[2] < 3), "{unit:?}");
        assert_eq!(&BitReader::new(&unit[1..]).unwrap().bytes[..payload.len()], payload);
        assert!(BitReader::new(&[0, 0]).is_none());
    }
}
