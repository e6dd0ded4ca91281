//! The properties of the macroblocks to the left and above that the codes depend on.

use super::macroblock::{BLOCKS, Counts, Kind, Macroblock};

/// The remembered properties of a macroblock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Remembered {
    pub(super) kind: Kind,
    pub(super) chroma_mode: u8,
    pub(super) pattern: u8,
    /// Whether there are coefficients in the DC of luma and of both planes of chroma.
    pub(super) dc: [bool; 3],
    /// The number of coefficients of each block, row by row.
    luma: [u8; 16],
    chroma: [[u8; 4]; 2],
    /// How far the motion vector of each block is from its prediction, row by row.
    motion: [[u8; 2]; 16],
    /// Whether each quarter is predicted from a picture other than the first.
    other_picture: [bool; 4],
}

/// The macroblocks before the current one, as far back as its neighbours.
pub(super) struct Neighbours {
    row: Vec<Remembered>,
    column: usize,
    in_first_row: bool,
    pub(super) current: Remembered,
}

impl Neighbours {
    /// The neighbours of the first macroblock of a picture with `width` macroblocks in a row, at least one.
    pub(super) fn new(width: usize) -> Self {
        Self { row: vec![Remembered::default(); width], column: 0, in_first_row: true, current: Remembered::default() }
    }

    /// Advances to the next macroblock.
    pub(super) fn advance(&mut self) {
        self.row[self.column] = std::mem::take(&mut self.current);
        self.column += 1;
        if self.column == self.row.len() {
            (self.column, self.in_first_row) = (0, false);
        }
    }

    /// The macroblocks to the left and above, if they exist.
    pub(super) fn both(&self) -> [Option<&Remembered>; 2] {
        let left = self.column.checked_sub(1).map(|left| &self.row[left]);
        [left, (!self.in_first_row).then_some(&self.row[self.column])]
    }

    /// Which neighbours have a property, as a sum: 1 for the left one, 2 for the one above.
    pub(super) fn weigh(&self, property: impl Fn(&Remembered) -> bool) -> usize {
        let [left, above] = self.both().map(|neighbour| neighbour.is_some_and(&property));
        usize::from(left) + 2 * usize::from(above)
    }

    /// Which quarters next to a quarter have no coefficients, as a sum: 1 for the left one, 2 for the one above.
    pub(super) fn empty_quarters(&self, quarter: usize, pattern: u8) -> usize {
        let [left, above] = self.both();
        let is_empty = |pattern: u8, quarter: usize| pattern >> quarter & 1 == 0;
        let beside = if quarter % 2 == 1 {
            is_empty(pattern, quarter - 1)
        } else {
            left.is_some_and(|left| is_empty(left.pattern, quarter + 1))
        };
        let over = if quarter / 2 == 1 {
            is_empty(pattern, quarter - 2)
        } else {
            above.is_some_and(|above| is_empty(above.pattern, quarter + 2))
        };
        usize::from(beside) + 2 * usize::from(over)
    }

    /// Which quarters next to a quarter are predicted from a picture other than the first, as a sum: 1 for the left one, 2 for the one
    /// above.
    pub(super) fn other_pictures(&self, quarter: usize) -> usize {
        let [left, above] = self.both();
        let current = &self.current.other_picture;
        let beside = if quarter % 2 == 1 { current[quarter - 1] } else { left.is_some_and(|left| left.other_picture[quarter + 1]) };
        let over =
            if quarter / 2 == 1 { current[quarter - 2] } else { above.is_some_and(|above| above.other_picture[quarter + 2]) };
        usize::from(beside) + 2 * usize::from(over)
    }

    /// Records which pictures the quarters are predicted from.
    pub(super) fn set_pictures(&mut self, macroblock: &Macroblock) {
        self.current.other_picture = macroblock.references.map(|reference| reference > 0);
    }

    /// How far motion vectors next to a block are from their predictions, across and down.
    pub(super) fn motion(&self, x: usize, y: usize) -> [u32; 2] {
        let [left, above] = self.both();
        let current = &self.current.motion;
        let beside = if x > 0 { current[y * 4 + x - 1] } else { left.map_or([0; 2], |left| left.motion[y * 4 + 3]) };
        let over = if y > 0 { current[y * 4 + x - 4] } else { above.map_or([0; 2], |above| above.motion[12 + x]) };
        [0, 1].map(|axis| u32::from(beside[axis]) + u32::from(over[axis]))
    }

    /// Records how far the motion vector of a rectangle of blocks is from its prediction.
    pub(super) fn set_motion(&mut self, [left, top, width, height]: [usize; 4], difference: [i32; 2]) {
        let distance = difference.map(|axis| axis.unsigned_abs().min(255) as u8);
        for y in top..top + height {
            self.current.motion[y * 4 + left..][..width].fill(distance);
        }
    }
}

impl Counts for Neighbours {
    fn luma(&self, block: usize) -> [Option<u8>; 2] {
        let (x, y) = BLOCKS[block];
        let [left, above] = self.both();
        let current = &self.current.luma;
        [
            if x > 0 { Some(current[y * 4 + x - 1]) } else { left.map(|left| left.luma[y * 4 + 3]) },
            if y > 0 { Some(current[y * 4 + x - 4]) } else { above.map(|above| above.luma[12 + x]) },
        ]
    }

    fn chroma(&self, plane: usize, block: usize) -> [Option<u8>; 2] {
        let [left, above] = self.both();
        let current = &self.current.chroma[plane];
        [
            if block % 2 == 1 { Some(current[block - 1]) } else { left.map(|left| left.chroma[plane][block + 1]) },
            if block / 2 == 1 { Some(current[block - 2]) } else { above.map(|above| above.chroma[plane][block + 2]) },
        ]
    }

    fn set_luma(&mut self, block: usize, count: u8) {
        let (x, y) = BLOCKS[block];
        self.current.luma[y * 4 + x] = count;
    }

    fn set_chroma(&mut self, plane: usize, block: usize, count: u8) {
        self.current.chroma[plane][block] = count;
    }
}
