//! Reads the coefficients of a block from variable-length codes: ITU-T H.264, 9.2.

use std::sync::LazyLock;

use super::bits::BitReader;
use super::cavlc_tables::{COEFFICIENT_TOKENS, RUN_BEFORE, TOTAL_ZEROS, TOTAL_ZEROS_CHROMA_DC};

/// The coefficients of a block: their number, and all of them in order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    pub(super) count: u8,
    pub(super) levels: [i16; 16],
}

/// The maximum number of bits of a code for a number of zeros, and for a run of zeros with a table.
const ZEROS_BITS: u32 = 9;
const RUN_BITS: u32 = 3;

/// The tables, indexed by the bits read, with the length of each code; a length of 0 marks invalid codes.
struct Tables {
    /// Coefficients and trailing ones, by the zeros before the first bit that is set and the three bits after it.
    tokens: [[[(u8, u8, u8); 8]; 16]; 4],
    zeros: [[(u8, u8); 1 << ZEROS_BITS]; 15],
    zeros_chroma_dc: [[(u8, u8); 1 << RUN_BITS]; 3],
    runs: [[(u8, u8); 1 << RUN_BITS]; 6],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tokens = [[[(0, 0, 0); 8]; 16]; 4];
    for (table, codes) in tokens.iter_mut().zip(COEFFICIENT_TOKENS) {
        for (count, codes) in (0..).zip(codes.as_chunks::<8>().0) {
            for (ones, &[code, length]) in (0..).zip(codes.as_chunks().0).filter(|(_, [_, length])| *length > 0) {
                if code == 0 {
                    // The code is all zeros, so any bits may follow.
                    table[usize::from(length)..].fill([(count, ones, length); 8]);
                    continue;
                }
                let significant = 8 - (code.leading_zeros() as u8).min(8);
                let (zeros, known) = (length - significant, significant - 1);
                let first = (code & ((1 << known) - 1)) << (3 - known);
                table[usize::from(zeros)][usize::from(first)..][..1 << (3 - known)].fill((count, ones, length));
            }
        }
    }
    Tables {
        tokens,
        zeros: TOTAL_ZEROS.map(|codes| by_bits(&codes)),
        zeros_chroma_dc: TOTAL_ZEROS_CHROMA_DC.map(|codes| by_bits(&codes)),
        runs: RUN_BEFORE.map(|codes| by_bits(&codes)),
    }
});

/// The value and the length of each code, indexed by as many bits as the longest code has.
fn by_bits<const SIZE: usize>(codes: &[u8]) -> [(u8, u8); SIZE] {
    let bits = SIZE.ilog2() as u8;
    let mut table = [(0, 0); SIZE];
    for (meaning, &[code, length]) in (0..).zip(codes.as_chunks().0).filter(|(_, [_, length])| *length > 0) {
        let behind = bits - length;
        table[usize::from(code) << behind..][..1 << behind].fill((meaning, length));
    }
    table
}

/// Reads a block of at most `size` coefficients. `around` is the expected number; it is `None` for the DC of chroma.
pub(super) fn read_block(bits: &mut BitReader, around: Option<u8>, size: u8, block: &mut Block) -> Option<()> {
    let (count, ones) = read_token(bits, around)?;
    block.count = count;
    if count == 0 {
        return Some(());
    }
    (count <= size).then_some(())?;
    let mut levels = [0_i16; 16];
    read_levels(bits, &mut levels[..usize::from(count)], ones)?;
    let mut zeros = if count < size { read_zeros(bits, around, count)? } else { 0 };
    // The last coefficient comes first.
    block.levels = [0; 16];
    let mut place = usize::from(count + zeros).checked_sub(1)?;
    for (number, &level) in levels[..usize::from(count)].iter().enumerate() {
        *block.levels.get_mut(place)? = level;
        if number + 1 == usize::from(count) {
            break;
        }
        let run = if zeros > 0 { read_run(bits, zeros)? } else { 0 };
        zeros = zeros.checked_sub(run)?;
        place = place.checked_sub(usize::from(run) + 1)?;
    }
    Some(())
}

/// The number of coefficients, and how many of them are ones at the end.
fn read_token(bits: &mut BitReader, around: Option<u8>) -> Option<(u8, u8)> {
    let table = match around {
        Some(0..=1) => 0,
        Some(2..=3) => 1,
        Some(4..=7) => 2,
        None => 3,
        Some(_) => {
            let code = bits.bits(6)? as u8;
            return Some(if code == 3 { (0, 0) } else { (code / 4 + 1, code % 4) });
        }
    };
    let next = bits.peek(19);
    let zeros = (next.leading_zeros() - 13).min(15);
    let behind = next >> (15 - zeros) & 7;
    let (count, ones, length) = TABLES.tokens[table][zeros as usize][behind as usize];
    bits.skip(length.into());
    (length > 0).then_some((count, ones))
}

fn read_levels(bits: &mut BitReader, levels: &mut [i16], ones: u8) -> Option<()> {
    let mut suffix_bits = u32::from(levels.len() > 10 && ones < 3);
    for (number, level) in levels.iter_mut().enumerate() {
        if number < usize::from(ones) {
            *level = if bits.flag()? { -1 } else { 1 };
            continue;
        }
        let prefix = bits.peek(32).leading_zeros();
        if prefix > 15 {
            return None;
        }
        bits.skip(prefix + 1);
        let size = match prefix {
            15 => 12,
            14 if suffix_bits == 0 => 4,
            _ => suffix_bits,
        };
        let mut code = (prefix << suffix_bits) as i32 + bits.bits(size)? as i32;
        if prefix == 15 && suffix_bits == 0 {
            code += 15;
        }
        if number == usize::from(ones) && ones < 3 {
            code += 2;
        }
        let value = if code % 2 == 0 { code / 2 + 1 } else { -(code / 2) - 1 };
        *level = i16::try_from(value).ok()?;
        suffix_bits = suffix_bits.max(1);
        if value.abs() > 3 << (suffix_bits - 1) && suffix_bits < 6 {
            suffix_bits += 1;
        }
    }
    Some(())
}

fn read_zeros(bits: &mut BitReader, around: Option<u8>, count: u8) -> Option<u8> {
    let table = usize::from(count - 1);
    let (zeros, length) = match around {
        Some(_) => TABLES.zeros.get(table)?[bits.peek(ZEROS_BITS) as usize],
        None => TABLES.zeros_chroma_dc.get(table)?[bits.peek(RUN_BITS) as usize],
    };
    bits.skip(length.into());
    (length > 0).then_some(zeros)
}

fn read_run(bits: &mut BitReader, zeros: u8) -> Option<u8> {
    let next = bits.peek(RUN_BITS);
    let (run, length) = match TABLES.runs.get(usize::from(zeros - 1)) {
        Some(table) => table[next as usize],
        None if next > 0 => (7 - next as u8, 3),
        None => {
            let zeros = bits.peek(12).leading_zeros() as u8 - 20;
            (zeros + 4, zeros + 1)
        }
    };
    bits.skip(length.into());
    (length > 0).then_some(run)
}
