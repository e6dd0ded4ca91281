//! The arithmetic coder of CABAC: ITU-T H.264, 9.3.4.

use super::cabac_tables::{AFTER_LESS_PROBABLE, CONTEXTS, INTER_START, INTRA_START, LESS_PROBABLE_RANGE};

/// The last context with a state that changes to a more certain one.
const MOST_CERTAIN: u8 = 62;

/// Encodes the data of one slice.
pub(super) struct Engine {
    /// For each context, its state and, in the lowest bit, the more probable symbol.
    states: [u8; CONTEXTS],
    low: u32,
    range: u32,
    /// Bits of `low` that are complete, less eight.
    queue: i32,
    /// Bytes of ones that a carry would still change.
    outstanding: usize,
    bytes: Vec<u8>,
}

impl Engine {
    /// Starts a slice with this quantiser.
    pub(super) fn new(intra: bool, quantiser: i32) -> Self {
        let start = if intra { &INTRA_START } else { &INTER_START };
        let mut states = [0; CONTEXTS];
        for (known, [slope, offset]) in states.iter_mut().zip(start.as_chunks().0) {
            let state = (((i32::from(*slope) * quantiser.clamp(0, 51)) >> 4) + i32::from(*offset)).clamp(1, 126) as u8;
            *known = if state < 64 { (63 - state) << 1 } else { (state - 64) << 1 | 1 };
        }
        Self { states, low: 0, range: 510, queue: -9, outstanding: 0, bytes: Vec::new() }
    }

    /// Encodes a bit in a context.
    pub(super) fn bit(&mut self, context: usize, bit: bool) {
        let Some(known) = self.states.get_mut(context) else { return };
        let (state, probable) = (*known >> 1, *known & 1 == 1);
        let less = u32::from(LESS_PROBABLE_RANGE[usize::from(state) << 2 | (self.range >> 6 & 3) as usize]);
        self.range -= less;
        if bit == probable {
            *known += u8::from(state < MOST_CERTAIN) << 1;
        } else {
            self.low += self.range;
            self.range = less;
            let probable = if state == 0 { !probable } else { probable };
            *known = AFTER_LESS_PROBABLE[usize::from(state)] << 1 | u8::from(probable);
        }
        self.renormalise();
    }

    /// Encodes a bit that is equally likely to be set or not.
    pub(super) fn even_bit(&mut self, bit: bool) {
        self.low = (self.low << 1) + if bit { self.range } else { 0 };
        self.queue += 1;
        if self.queue >= 0 {
            self.put_byte();
        }
    }

    /// Encodes a number in Exp-Golomb code of this order.
    pub(super) fn exp_golomb(&mut self, mut number: u32, mut order: u32) {
        while number >= 1 << order {
            self.even_bit(true);
            number -= 1 << order;
            order += 1;
        }
        self.even_bit(false);
        for bit in (0..order).rev() {
            self.even_bit(number >> bit & 1 == 1);
        }
    }

    /// Encodes that the slice continues, or that a macroblock has no raw samples.
    pub(super) fn go_on(&mut self) {
        self.range -= 2;
        self.renormalise();
    }

    /// Ends the slice. Its data ends with the bit that ends the unit.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.low += self.range - 2;
        self.shift(7);
        // Two bits of the number, then the bit that ends the unit.
        self.low = (self.low | 0x80) & !0x7f;
        self.shift(3);
        if self.queue > -8 {
            self.shift(self.queue.unsigned_abs());
        }
        self.bytes.resize(self.bytes.len() + self.outstanding, 0xff);
        self.bytes
    }

    #[inline]
    fn renormalise(&mut self) {
        // A range has nine bits.
        let shift = self.range.leading_zeros() - 23;
        if shift > 0 {
            self.range <<= shift;
            self.shift(shift);
        }
    }

    #[inline]
    fn shift(&mut self, count: u32) {
        self.low <<= count;
        self.queue += count as i32;
        if self.queue >= 0 {
            self.put_byte();
        }
    }

    #[inline(never)]
    fn put_byte(&mut self) {
        let above = self.queue as u32 + 10;
        let complete = self.low >> above;
        self.low &= (1 << above) - 1;
        self.queue -= 8;
        if complete & 0xff == 0xff {
            self.outstanding += 1;
            return;
        }
        let carry = (complete >> 8) as u8;
        if let Some(last) = self.bytes.last_mut() {
            *last = last.wrapping_add(carry);
        }
        let flushed = self.bytes.len() + self.outstanding;
        self.bytes.resize(flushed, carry.wrapping_sub(1));
        self.outstanding = 0;
        self.bytes.push((complete & 0xff) as u8);
    }
}
