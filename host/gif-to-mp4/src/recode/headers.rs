//! Reads the fields of parameter sets and slice headers that the data of slices depends on, and rewrites those that depend on the entropy
//! coder.

use super::bits::{BitReader, BitWriter, escaped};
use super::cabac_tables::INIT_IDC;

/// Baseline is the only profile that OpenH264 encodes without CABAC; Main is the lowest with it.
const BASELINE: u8 = 66;
const MAIN: u8 = 77;

/// The flag of a stream that conforms to the Main profile.
const CONFORMS_TO_MAIN: u8 = 0x40;

/// A unit with the first slice of a keyframe.
const KEYFRAME: u8 = 5;

/// A sequence parameter set.
#[derive(Debug)]
pub(super) struct Sequence {
    frame_number_bits: u32,
    /// The number of bits of the picture order, if slices have it.
    order_bits: Option<u32>,
    /// Width and height in macroblocks.
    pub(super) size: (usize, usize),
}

/// A picture parameter set.
#[derive(Debug)]
pub(super) struct Pictures {
    references: u32,
    quantiser: i32,
    has_deblocking: bool,
}

/// The header of a slice.
#[derive(Debug)]
pub(super) struct Slice {
    /// Whether no macroblock depends on another picture.
    pub(super) intra: bool,
    /// The quantiser of its first macroblock.
    pub(super) quantiser: i32,
    /// The number of pictures to predict from.
    pub(super) references: u32,
    /// The new header, with whole bytes.
    pub(super) recoded: Vec<u8>,
}

impl Sequence {
    /// Reads a set, and returns it converted to the Main profile.
    pub(super) fn recode(unit: &[u8]) -> Option<(Self, Vec<u8>)> {
        let &[header, profile, _, level, ref payload @ ..] = unit else { return None };
        if profile != BASELINE {
            return None;
        }
        let mut bits = BitReader::new(payload)?;
        let _id = bits.number()?;
        let frame_number_bits = bits.number()? + 4;
        let order_bits = match bits.number()? {
            0 => Some(bits.number()? + 4),
            2 => None,
            _ => return None,
        };
        let (_references, _gaps) = (bits.number()?, bits.flag()?);
        let size = (bits.number()? as usize + 1, bits.number()? as usize + 1);
        let whole_frames = bits.flag()?;
        (whole_frames && frame_number_bits <= 16 && order_bits.is_none_or(|bits| bits <= 16)).then_some(())?;
        let recoded = [&[header, MAIN, CONFORMS_TO_MAIN, level], payload].concat();
        Some((Self { frame_number_bits, order_bits, size }, recoded))
    }
}

impl Pictures {
    /// Reads a set, and returns it converted to the other entropy coder.
    pub(super) fn recode(unit: &[u8]) -> Option<(Self, Vec<u8>)> {
        let (&header, payload) = unit.split_first()?;
        let mut bits = BitReader::new(payload)?;
        let mut writer = BitWriter::default();
        let (_id, _sequence) = (bits.number()?, bits.number()?);
        let before = bits.position();
        let (cabac, _bottom_field_order, groups) = (bits.flag()?, bits.flag()?, bits.number()?);
        let (references, _backward, weighted, _) = (bits.number()? + 1, bits.number()?, bits.flag()?, bits.bits(2)?);
        let (quantiser, _switching, _chroma) = (26 + bits.signed()?, bits.signed()?, bits.signed()?);
        let (has_deblocking, _constrained, redundant) = (bits.flag()?, bits.flag()?, bits.flag()?);
        (!cabac && groups == 0 && !weighted && !redundant && !bits.has_more()).then_some(())?;
        let length = bits.position();
        let mut bits = BitReader::new(payload)?;
        writer.copy(&mut bits, before);
        writer.bits(1, 1);
        bits.skip(1);
        writer.copy(&mut bits, length - before - 1);
        Some((Self { references, quantiser, has_deblocking }, escaped(header, writer.ended())))
    }
}

impl Slice {
    /// Reads the header of a slice, up to its data. The slice must be the only one of its picture.
    pub(super) fn recode(
        bits: &mut BitReader,
        header: u8,
        payload: &[u8],
        sequence: &Sequence,
        pictures: &Pictures,
    ) -> Option<Self> {
        let (keyframe, is_reference) = (header & 0x1f == KEYFRAME, header & 0x60 != 0);
        let (first, kind, _parameters) = (bits.number()?, bits.number()? % 5, bits.number()?);
        let intra = match kind {
            0 => false,
            2 => true,
            _ => return None,
        };
        (first == 0).then_some(())?;
        bits.bits(sequence.frame_number_bits)?;
        if keyframe {
            bits.number()?;
        }
        if let Some(count) = sequence.order_bits {
            bits.bits(count)?;
        }
        let mut references = pictures.references;
        if !intra {
            if bits.flag()? {
                references = bits.number()? + 1;
            }
            skip_reordering(bits)?;
        }
        if is_reference {
            skip_marking(bits, keyframe)?;
        }
        let before = bits.position();
        let quantiser = pictures.quantiser + bits.signed()?;
        if pictures.has_deblocking && bits.number()? != 1 {
            bits.signed()?;
            bits.signed()?;
        }
        let length = bits.position();
        let mut again = BitReader::new(payload)?;
        let mut writer = BitWriter::default();
        writer.copy(&mut again, before);
        if !intra {
            let code = INIT_IDC + 1;
            writer.bits(code, 2 * code.ilog2() + 1);
        }
        writer.copy(&mut again, length - before);
        Some(Self { intra, quantiser, references, recoded: writer.aligned_with_ones() })
    }
}

/// The order of the pictures to predict from.
fn skip_reordering(bits: &mut BitReader) -> Option<()> {
    if bits.flag()? {
        while bits.number()? != 3 {
            bits.number()?;
        }
    }
    Some(())
}

/// Which pictures are kept.
fn skip_marking(bits: &mut BitReader, keyframe: bool) -> Option<()> {
    if keyframe {
        bits.bits(2)?;
    } else if bits.flag()? {
        loop {
            let numbers = match bits.number()? {
                0 => break,
                3 => 2,
                1 | 2 | 4 | 6 => 1,
                5 => 0,
                _ => return None,
            };
            for _ in 0..numbers {
                bits.number()?;
            }
        }
    }
    Some(())
}
