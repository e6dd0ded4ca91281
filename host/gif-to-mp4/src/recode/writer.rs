//! Writes macroblocks with arithmetic codes (CABAC): ITU-T H.264, 9.3.2 and 9.3.3.

use super::cavlc::Block;
use super::engine::Engine;
use super::macroblock::{Counts, Kind, Macroblock, Split};
use super::neighbours::Neighbours;

/// The first context of each part of a macroblock.
mod context {
    pub const INTRA_KIND: usize = 3;
    pub const SKIPPED: usize = 11;
    pub const INTER_KIND: usize = 14;
    pub const INTRA_KIND_AMONG_INTER: usize = 17;
    pub const QUARTER: usize = 21;
    pub const MOTION: [usize; 2] = [40, 47];
    pub const REFERENCE: usize = 54;
    pub const QUANTISER: usize = 60;
    pub const CHROMA_MODE: usize = 64;
    pub const EXPECTED_MODE: usize = 68;
    pub const MODE: usize = 69;
    pub const LUMA_PATTERN: usize = 73;
    pub const CHROMA_PATTERN: usize = 77;
    pub const HAS_COEFFICIENTS: usize = 85;
    pub const SIGNIFICANT: usize = 105;
    pub const LAST: usize = 166;
    pub const LEVEL: usize = 227;
}

/// The category of a block: the offset of its contexts and how many coefficients it may have.
struct Category {
    number: usize,
    place: usize,
    level: usize,
    size: usize,
}

const LUMA_DC: Category = Category { number: 0, place: 0, level: 0, size: 16 };
const LUMA_AC: Category = Category { number: 1, place: 15, level: 10, size: 15 };
const LUMA: Category = Category { number: 2, place: 29, level: 20, size: 16 };
const CHROMA_DC: Category = Category { number: 3, place: 44, level: 30, size: 4 };
const CHROMA_AC: Category = Category { number: 4, place: 47, level: 39, size: 15 };

/// Writes the macroblocks of one slice.
pub(super) struct Writer {
    engine: Engine,
    intra: bool,
    references: u32,
    /// Whether the last macroblock changed the quantiser.
    quantiser_changed: bool,
}

impl Writer {
    /// Starts a slice whose macroblocks may be predicted from `references` pictures.
    pub(super) fn new(engine: Engine, intra: bool, references: u32) -> Self {
        Self { engine, intra, references, quantiser_changed: false }
    }

    /// Ends the slice and returns its data.
    pub(super) fn finish(self) -> Vec<u8> {
        self.engine.finish()
    }

    /// Writes that the slice has another macroblock.
    pub(super) fn go_on(&mut self) {
        self.engine.go_on();
    }

    /// Writes a macroblock that is skipped.
    pub(super) fn skip(&mut self, near: &mut Neighbours) {
        self.write_skipped(near, true);
        near.current.kind = Kind::Skipped;
        self.quantiser_changed = false;
    }

    /// Writes a macroblock that is not skipped. The number of its coefficients must have been recorded.
    pub(super) fn write(&mut self, macroblock: &Macroblock, near: &mut Neighbours) {
        if !self.intra {
            self.write_skipped(near, false);
        }
        near.current.kind = macroblock.kind;
        near.current.pattern = macroblock.pattern;
        match macroblock.kind {
            Kind::Skipped => {}
            Kind::Inter(split) => self.write_inter(macroblock, split, near),
            Kind::Intra4 | Kind::Intra16(_) => self.write_intra(macroblock, near),
        }
        if !matches!(macroblock.kind, Kind::Intra16(_)) {
            self.write_pattern(macroblock.pattern, near);
            if macroblock.pattern == 0 {
                self.quantiser_changed = false;
                return;
            }
        }
        self.write_quantiser(macroblock.quantiser_change);
        self.write_residual(macroblock, near);
    }

    fn write_skipped(&mut self, near: &Neighbours, skipped: bool) {
        let [left, above] = near.both().map(|neighbour| usize::from(neighbour.is_some_and(|it| it.kind != Kind::Skipped)));
        self.engine.bit(context::SKIPPED + left + above, skipped);
    }

    fn write_intra(&mut self, macroblock: &Macroblock, near: &mut Neighbours) {
        use context::{CHROMA_MODE, EXPECTED_MODE, INTER_KIND, INTRA_KIND, INTRA_KIND_AMONG_INTER, MODE};
        let engine = &mut self.engine;
        let kind = if self.intra {
            let [left, above] = near.both().map(|neighbour| usize::from(neighbour.is_some_and(|it| it.kind != Kind::Intra4)));
            [left + above, 3, 4, 5, 6, 7].map(|offset| INTRA_KIND + offset)
        } else {
            engine.bit(INTER_KIND, true);
            [0, 1, 2, 2, 3, 3].map(|offset| INTRA_KIND_AMONG_INTER + offset)
        };
        if let Kind::Intra16(mode) = macroblock.kind {
            engine.bit(kind[0], true);
            engine.go_on();
            engine.bit(kind[1], macroblock.pattern & 15 != 0);
            let chroma = macroblock.pattern >> 4;
            engine.bit(kind[2], chroma != 0);
            if chroma != 0 {
                engine.bit(kind[3], chroma == 2);
            }
            engine.bit(kind[4], mode & 2 != 0);
            engine.bit(kind[5], mode & 1 != 0);
        } else {
            engine.bit(kind[0], false);
            for mode in macroblock.intra_modes {
                engine.bit(EXPECTED_MODE, mode.is_none());
                if let Some(mode) = mode {
                    (0..3).for_each(|bit| engine.bit(MODE, mode >> bit & 1 == 1));
                }
            }
        }
        let others = near.both().map(|neighbour| usize::from(neighbour.is_some_and(|it| it.chroma_mode != 0)));
        let mode = macroblock.chroma_mode;
        engine.bit(CHROMA_MODE + others[0] + others[1], mode > 0);
        for shorter in 1..=mode.min(2) {
            engine.bit(CHROMA_MODE + 3, mode > shorter);
        }
        near.current.chroma_mode = mode;
    }

    fn write_inter(&mut self, macroblock: &Macroblock, split: Split, near: &mut Neighbours) {
        let engine = &mut self.engine;
        let (first, second) = match split {
            Split::Whole => (false, (2, false)),
            Split::Quarters => (false, (2, true)),
            Split::Above => (true, (3, true)),
            Split::Beside => (true, (3, false)),
        };
        engine.bit(context::INTER_KIND, false);
        engine.bit(context::INTER_KIND + 1, first);
        engine.bit(context::INTER_KIND + second.0, second.1);
        if split == Split::Quarters {
            for way in macroblock.quarters {
                engine.bit(context::QUARTER, way == 0);
                if way > 0 {
                    engine.bit(context::QUARTER + 1, way > 1);
                }
                if way > 1 {
                    engine.bit(context::QUARTER + 2, way == 2);
                }
            }
        }
        near.set_pictures(macroblock);
        if self.references > 1 {
            let first_of_part: &[usize] = match split {
                Split::Whole => &[0],
                Split::Above => &[0, 2],
                Split::Beside => &[0, 1],
                Split::Quarters => &[0, 1, 2, 3],
            };
            for &quarter in first_of_part {
                let mut offset = near.other_pictures(quarter);
                for _ in 0..macroblock.references[quarter] {
                    engine.bit(context::REFERENCE + offset, true);
                    offset = if offset < 4 { 4 } else { 5 };
                }
                engine.bit(context::REFERENCE + offset, false);
            }
        }
        for motion in &macroblock.motions {
            let nearby = near.motion(motion.area[0], motion.area[1]);
            for ((context, nearby), difference) in context::MOTION.into_iter().zip(nearby).zip(motion.difference) {
                write_motion(engine, context, nearby, difference);
            }
            near.set_motion(motion.area, motion.difference);
        }
    }

    fn write_pattern(&mut self, pattern: u8, near: &Neighbours) {
        for quarter in 0..4 {
            self.engine.bit(context::LUMA_PATTERN + near.empty_quarters(quarter, pattern), pattern >> quarter & 1 == 1);
        }
        let chroma = pattern >> 4;
        self.engine.bit(context::CHROMA_PATTERN + near.weigh(|neighbour| neighbour.pattern >> 4 != 0), chroma != 0);
        if chroma != 0 {
            self.engine.bit(context::CHROMA_PATTERN + 4 + near.weigh(|neighbour| neighbour.pattern >> 4 == 2), chroma == 2);
        }
    }

    fn write_quantiser(&mut self, change: i32) {
        let code = if change > 0 { 2 * change - 1 } else { -2 * change };
        for step in 0..=code {
            let offset = match step {
                0 => usize::from(self.quantiser_changed),
                1 => 2,
                _ => 3,
            };
            self.engine.bit(context::QUANTISER + offset, step < code);
        }
        self.quantiser_changed = change != 0;
    }

    fn write_residual(&mut self, macroblock: &Macroblock, near: &mut Neighbours) {
        let whole = matches!(macroblock.kind, Kind::Intra16(_));
        let intra = whole || macroblock.kind == Kind::Intra4;
        let engine = &mut self.engine;
        let nearby = |counts: [Option<u8>; 2]| {
            let [left, above] = counts.map(|count| count.map_or(intra, |count| count > 0));
            usize::from(left) + 2 * usize::from(above)
        };
        let dc_nearby = |near: &Neighbours, which: usize| {
            let [left, above] = near.both().map(|neighbour| neighbour.map_or(intra, |neighbour| neighbour.dc[which]));
            usize::from(left) + 2 * usize::from(above)
        };
        if whole {
            write_block(engine, &LUMA_DC, dc_nearby(near, 0), &macroblock.luma_dc);
            near.current.dc[0] = macroblock.luma_dc.count > 0;
        }
        for (number, block) in macroblock.luma.iter().enumerate() {
            if macroblock.pattern >> (number / 4) & 1 == 1 {
                write_block(engine, if whole { &LUMA_AC } else { &LUMA }, nearby(near.luma(number)), block);
            }
        }
        if macroblock.pattern >> 4 != 0 {
            for (plane, block) in macroblock.chroma_dc.iter().enumerate() {
                write_block(engine, &CHROMA_DC, dc_nearby(near, 1 + plane), block);
                near.current.dc[1 + plane] = block.count > 0;
            }
        }
        if macroblock.pattern >> 5 == 1 {
            for (number, block) in macroblock.chroma.iter().enumerate() {
                write_block(engine, &CHROMA_AC, nearby(near.chroma(number / 4, number % 4)), block);
            }
        }
    }
}

fn write_motion(engine: &mut Engine, context: usize, nearby: u32, difference: i32) {
    /// From here on, the rest is encoded without a context.
    const LONG: u32 = 9;
    let distance = difference.unsigned_abs();
    for step in 0..LONG.min(distance + 1) {
        let offset = match step {
            0 => usize::from(nearby > 2) + usize::from(nearby > 32),
            step => (step as usize + 2).min(6),
        };
        engine.bit(context + offset, step < distance);
    }
    if distance >= LONG {
        engine.exp_golomb(distance - LONG, 3);
    }
    if distance > 0 {
        engine.even_bit(difference < 0);
    }
}

fn write_block(engine: &mut Engine, category: &Category, nearby: usize, block: &Block) {
    /// From here on, the rest is encoded without a context.
    const LONG: u16 = 15;
    engine.bit(context::HAS_COEFFICIENTS + category.number * 4 + nearby, block.count > 0);
    if block.count == 0 {
        return;
    }
    let mut left = block.count;
    for (place, &level) in block.levels[..category.size - 1].iter().enumerate() {
        engine.bit(context::SIGNIFICANT + category.place + place, level != 0);
        if level != 0 {
            left -= 1;
            engine.bit(context::LAST + category.place + place, left == 0);
            if left == 0 {
                break;
            }
        }
    }
    let first = context::LEVEL + category.level;
    let (mut ones, mut more) = (0, 0);
    for &level in block.levels[..category.size].iter().rev().filter(|level| **level != 0) {
        let size = level.unsigned_abs();
        let offset = if more > 0 { 0 } else { (ones + 1).min(4) };
        engine.bit(first + offset, size > 1);
        if size > 1 {
            let highest = if category.number == CHROMA_DC.number { 4 } else { 5 };
            more += 1;
            let offset = 4 + more.min(highest);
            for step in 2..LONG.min(size + 1) {
                engine.bit(first + offset, step < size);
            }
            if size >= LONG {
                engine.exp_golomb(u32::from(size - LONG), 0);
            }
        } else {
            ones += 1;
        }
        engine.even_bit(level < 0);
    }
}
