//! A macroblock, and reading it from a stream with variable-length codes (CAVLC): ITU-T H.264, 7.3.5 and 9.2.

use super::bits::BitReader;
use super::cavlc::{Block, read_block};
use super::cavlc_tables::{INTER_PATTERNS, INTRA_PATTERNS};

/// How a macroblock is predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Predicted from its neighbours, without a residual.
    #[default]
    Skipped,
    /// Predicted from other pictures: in one piece, two halves above each other, two halves side by side, or four quarters.
    Inter(Split),
    /// Predicted from the picture itself, in blocks of 4x4.
    Intra4,
    /// Predicted from the picture itself, in one of four ways.
    Intra16(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Whole,
    Above,
    Beside,
    Quarters,
}

/// A rectangle of blocks with one motion vector.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Motion {
    /// Left, top, width and height in blocks of 4x4.
    pub(super) area: [usize; 4],
    /// The difference from the prediction by its neighbours, across and down.
    pub(super) difference: [i32; 2],
}

/// The contents of a macroblock. Fields that its kind does not have keep their previous values.
#[derive(Debug, Default)]
pub(super) struct Macroblock {
    pub(super) kind: Kind,
    /// The prediction mode of each block; `None` for the mode that its neighbours suggest.
    pub(super) intra_modes: [Option<u8>; 16],
    pub(super) chroma_mode: u8,
    /// How each quarter is split.
    pub(super) quarters: [u8; 4],
    /// The picture that each quarter is predicted from.
    pub(super) references: [u8; 4],
    pub(super) motions: Vec<Motion>,
    /// Which quarters have coefficients; in the upper bits, 1 if the chroma has them in its DC only, and 2 if in the rest.
    pub(super) pattern: u8,
    pub(super) quantiser_change: i32,
    pub(super) luma_dc: Block,
    pub(super) luma: [Block; 16],
    pub(super) chroma_dc: [Block; 2],
    pub(super) chroma: [Block; 8],
}

/// Left and top of the blocks of a macroblock, in the order of the stream.
pub(super) const BLOCKS: [(usize, usize); 16] = [
    (0, 0),
    (1, 0),
    (0, 1),
    (1, 1),
    (2, 0),
    (3, 0),
    (2, 1),
    (3, 1),
    (0, 2),
    (1, 2),
    (0, 3),
    (1, 3),
    (2, 2),
    (3, 2),
    (2, 3),
    (3, 3),
];

/// The numbers of coefficients of the blocks to the left and above, if there are such blocks.
pub(super) trait Counts {
    /// The numbers next to a block of luma.
    fn luma(&self, block: usize) -> [Option<u8>; 2];
    /// The numbers next to a block in one of the two planes of chroma.
    fn chroma(&self, plane: usize, block: usize) -> [Option<u8>; 2];
    /// Records the number of a block of luma.
    fn set_luma(&mut self, block: usize, count: u8);
    /// Records the number of a block of chroma.
    fn set_chroma(&mut self, plane: usize, block: usize, count: u8);
}

impl Macroblock {
    /// Reads a macroblock that is not skipped.
    pub(super) fn read(
        &mut self,
        bits: &mut BitReader,
        intra_slice: bool,
        references: u32,
        counts: &mut impl Counts,
    ) -> Option<()> {
        let code = bits.number()?;
        let intra = if intra_slice { Some(code) } else { code.checked_sub(5) };
        match (intra, code) {
            (Some(0), _) => {
                self.kind = Kind::Intra4;
                for mode in &mut self.intra_modes {
                    *mode = if bits.flag()? { None } else { Some(bits.bits(3)? as u8) };
                }
                self.chroma_mode = u8::try_from(bits.number()?).ok()?;
                self.pattern = *INTRA_PATTERNS.get(bits.number()? as usize)?;
            }
            (Some(code @ 1..=24), _) => {
                let code = code as u8 - 1;
                self.kind = Kind::Intra16(code % 4);
                self.pattern = (code / 4 % 3) << 4 | if code >= 12 { 15 } else { 0 };
                self.chroma_mode = u8::try_from(bits.number()?).ok()?;
            }
            // Raw samples, which OpenH264 does not write.
            (Some(_), _) => return None,
            (None, code) => {
                self.read_motion(bits, code, references)?;
                self.pattern = *INTER_PATTERNS.get(bits.number()? as usize)?;
            }
        }
        if self.chroma_mode > 3 {
            return None;
        }
        self.quantiser_change = 0;
        if self.pattern != 0 || matches!(self.kind, Kind::Intra16(_)) {
            self.quantiser_change = bits.signed()?;
            self.read_residual(bits, counts)?;
        }
        Some(())
    }

    fn read_motion(&mut self, bits: &mut BitReader, code: u32, references: u32) -> Option<()> {
        const HALVES: [[usize; 4]; 4] = [[0, 0, 4, 2], [0, 2, 4, 2], [0, 0, 2, 4], [2, 0, 2, 4]];
        self.motions.clear();
        self.references = [0; 4];
        let (split, areas): (_, &[[usize; 4]]) = match code {
            0 => (Split::Whole, &[[0, 0, 4, 4]]),
            1 => (Split::Above, &HALVES[..2]),
            2 => (Split::Beside, &HALVES[2..]),
            _ => (Split::Quarters, &[]),
        };
        self.kind = Kind::Inter(split);
        if split == Split::Quarters {
            for quarter in &mut self.quarters {
                *quarter = u8::try_from(bits.number()?).ok().filter(|&way| way < 4)?;
            }
        }
        // A code of 4 means that there are quarters, all from the first picture.
        if references > 1 && code != 4 {
            let quarters: &[&[usize]] = match split {
                Split::Whole => &[&[0, 1, 2, 3]],
                Split::Above => &[&[0, 1], &[2, 3]],
                Split::Beside => &[&[0, 2], &[1, 3]],
                Split::Quarters => &[&[0], &[1], &[2], &[3]],
            };
            for same in quarters {
                let reference = if references == 2 { u32::from(!bits.flag()?) } else { bits.number()? };
                same.iter().for_each(|&quarter| self.references[quarter] = reference.min(255) as u8);
            }
        }
        for &area in areas {
            self.motions.push(Motion { area, difference: [0; 2] });
        }
        if split == Split::Quarters {
            for (quarter, way) in self.quarters.into_iter().enumerate() {
                let (left, top) = (quarter % 2 * 2, quarter / 2 * 2);
                let (width, height) = [(2, 2), (2, 1), (1, 2), (1, 1)][usize::from(way)];
                for y in (top..top + 2).step_by(height) {
                    for x in (left..left + 2).step_by(width) {
                        self.motions.push(Motion { area: [x, y, width, height], difference: [0; 2] });
                    }
                }
            }
        }
        for motion in &mut self.motions {
            motion.difference = [bits.signed()?, bits.signed()?];
        }
        Some(())
    }

    fn read_residual(&mut self, bits: &mut BitReader, counts: &mut impl Counts) -> Option<()> {
        let whole = matches!(self.kind, Kind::Intra16(_));
        if whole {
            read_block(bits, around(counts.luma(0)), 16, &mut self.luma_dc)?;
        }
        for (number, block) in self.luma.iter_mut().enumerate() {
            if self.pattern >> (number / 4) & 1 == 1 {
                read_block(bits, around(counts.luma(number)), if whole { 15 } else { 16 }, block)?;
                counts.set_luma(number, block.count);
            }
        }
        if self.pattern >> 4 != 0 {
            for block in &mut self.chroma_dc {
                read_block(bits, None, 4, block)?;
            }
        }
        if self.pattern >> 5 == 1 {
            for (number, block) in self.chroma.iter_mut().enumerate() {
                let (plane, number) = (number / 4, number % 4);
                read_block(bits, around(counts.chroma(plane, number)), 15, block)?;
                counts.set_chroma(plane, number, block.count);
            }
        }
        Some(())
    }
}

/// The expected number of coefficients.
fn around(nearby: [Option<u8>; 2]) -> Option<u8> {
    Some(match nearby {
        [Some(left), Some(above)] => (left + above).div_ceil(2),
        [one, other] => one.or(other).unwrap_or(0),
    })
}
