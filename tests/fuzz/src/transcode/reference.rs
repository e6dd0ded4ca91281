//! The frames of a GIF, read in the most obvious way: by the specification (GIF89a, with its appendix F) and, where that is ambiguous, as
//! documented by `gif_blocks` and `lzw` in the crate under test.

use media_cache_gif_to_mp4::fuzzing::DisposalMethod;

pub(super) struct Reference<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frames: Vec<Frame<'a>>,
}

pub(super) struct Frame<'a> {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    /// In hundredths of a second, as declared in the file.
    pub(super) delay: u16,
    pub(super) palette: &'a [u8],
    pub(super) transparent: Option<u8>,
    pub(super) disposal: DisposalMethod,
    interlaced: bool,
    code_size: u8,
    compressed: Vec<u8>,
}

impl<'a> Reference<'a> {
    /// `None` if there is no complete frame.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(data);
        bytes.take(6).filter(|signature| [b"GIF87a", b"GIF89a"].iter().any(|known| signature == known))?;
        let [width, height] = [bytes.number()?, bytes.number()?];
        let flags = bytes.byte()?;
        bytes.take(2)?;
        let global = bytes.palette(flags)?;
        let mut frames = Vec::new();
        while let Some(frame) = bytes.frame(global) {
            frames.push(frame);
        }
        let first = frames.first()?;
        let side = |screen: u16, edge: usize| u32::try_from(edge.max(screen.into())).ok();
        let [width, height] = [side(width, first.left + first.width)?, side(height, first.top + first.height)?];
        Some(Self { width, height, frames })
    }
}

impl Frame<'_> {
    /// The indices, row by row from the top. `None` if the data is damaged.
    pub(super) fn indices(&self) -> Option<Vec<u8>> {
        let stored = decompress(self.code_size, &self.compressed, self.width * self.height)?;
        if !self.interlaced {
            return Some(stored);
        }
        let of_pass =
            |pass: usize| (0..self.height).filter(move |row| [row % 8 == 0, row % 8 == 4, row % 4 == 2, row % 2 == 1][pass]);
        let order: Vec<usize> = (0..4).flat_map(of_pass).collect();
        let stored_at = |row: usize| order.iter().position(|&other| other == row);
        (0..self.height)
            .map(|row| stored.get(stored_at(row)? * self.width..)?.get(..self.width))
            .collect::<Option<Vec<_>>>()
            .map(|rows| rows.concat())
    }
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from(bytes[0]) + 256 * u16::from(bytes[1]))
    }

    fn palette(&mut self, flags: u8) -> Option<&'a [u8]> {
        if flags & 0x80 == 0 { Some(&[]) } else { self.take(3 * (2 << (flags & 7))) }
    }

    fn blocks(&mut self) -> Option<Vec<&'a [u8]>> {
        let mut blocks = Vec::new();
        loop {
            match self.byte()? {
                0 => return Some(blocks),
                length => blocks.push(self.take(length.into())?),
            }
        }
    }

    /// Reads the next frame. Returns `None` after an invalid block.
    fn frame(&mut self, global: &'a [u8]) -> Option<Frame<'a>> {
        let mut control: [u8; 4] = [0; 4];
        loop {
            match self.byte()? {
                0x21 => {
                    let label = self.byte()?;
                    let blocks = self.blocks()?;
                    if let (0xf9, Some(&[flags, delay, delay_high, transparent, ..])) = (label, blocks.first().copied()) {
                        control = [flags, delay, delay_high, transparent];
                    }
                }
                0x2c => break,
                _ => {
                    self.0 = &[];
                    return None;
                }
            }
        }
        let [left, top, width, height] = [self.number()?, self.number()?, self.number()?, self.number()?].map(usize::from);
        let flags = self.byte()?;
        let local = self.palette(flags)?;
        Some(Frame {
            left,
            top,
            width,
            height,
            delay: u16::from(control[1]) + 256 * u16::from(control[2]),
            palette: if local.is_empty() { global } else { local },
            transparent: (control[0] & 1 == 1).then_some(control[3]),
            disposal: match control[0] / 4 % 8 {
                2 => DisposalMethod::Background,
                3 | 4 => DisposalMethod::Previous,
                _ => DisposalMethod::Keep,
            },
            interlaced: flags & 0x40 > 0,
            code_size: self.byte()?,
            compressed: self.blocks()?.concat(),
        })
    }
}

/// Decodes `count` colours. Each string in the table is stored in full.
fn decompress(code_size: u8, data: &[u8], count: usize) -> Option<Vec<u8>> {
    let mut colours = Vec::new();
    if count == 0 {
        return Some(colours);
    }
    let first_table =
        |code_size: u8| (0..1_usize << code_size).map(|colour| vec![(colour % 256) as u8]).chain([vec![], vec![]]).collect();
    let mut table: Vec<Vec<u8>> = if code_size < 12 { first_table(code_size) } else { return None };
    let (clear, end) = (1 << code_size, (1 << code_size) + 1);
    let mut last: Option<Vec<u8>> = None;
    let mut width = usize::from(code_size) + 1;
    let mut position = 0;
    while colours.len() < count {
        let bits = (position..position + width).map(|bit| data.get(bit / 8).map(|byte| usize::from(byte >> (bit % 8) & 1)));
        let code = bits.rev().try_fold(0, |code, bit| Some(code * 2 + bit?))?;
        position += width;
        if code == end {
            return None;
        }
        if code == clear {
            (table, last, width) = (first_table(code_size), None, usize::from(code_size) + 1);
            continue;
        }
        let string = match (table.get(code), &last) {
            (Some(string), _) => string.clone(),
            (None, Some(last)) if code == table.len() => [&last[..], &last[..1]].concat(),
            (None, _) => return None,
        };
        if let Some(mut entry) = last.take().filter(|_| table.len() < 4096) {
            entry.push(string[0]);
            table.push(entry);
        }
        if table.len() == 1 << width && width < 12 {
            width += 1;
        }
        colours.extend_from_slice(&string);
        last = Some(string);
    }
    colours.truncate(count);
    Some(colours)
}
