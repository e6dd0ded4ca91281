//! Writes the GIFs of the corpus in the ways in which common programs write them.

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use crate::drawing::{Colour, Picture};

/// How colours that are not in the palette are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dither {
    /// By the nearest colour.
    None,
    /// With a pattern that stays in place (Bayer).
    Ordered,
    /// With the error passed on to the neighbours (Floyd and Steinberg).
    Diffused,
}

/// Which part of a frame is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// All of it.
    Whole,
    /// The rectangle that has changed, in which unchanged pixels are transparent.
    Changes,
    /// All of it, with white as transparent, and the canvas cleared after each frame.
    Cleared,
}

/// Steps of red, green and blue in the palette; the colour after them is transparent.
const STEPS: [i32; 3] = [6, 7, 6];
const TRANSPARENT: u8 = 252;

/// A GIF of these frames, each shown for `delay` hundredths of a second.
pub fn encode(frames: impl Iterator<Item = Picture>, dither: Dither, store: Store, delay: u16) -> Vec<u8> {
    let mut frames = frames.peekable();
    let Some(first) = frames.peek() else { return Vec::new() };
    let (width, height) = (first.width as u16, first.height as u16);
    let exact = (dither == Dither::None).then(|| exact_palette(first)).flatten();
    let palette = Palette { exact };
    let mut bytes = Vec::new();
    #[allow(clippy::expect_used, reason = "writing to memory")]
    let mut encoder = Encoder::new(&mut bytes, width, height, &palette.bytes()).expect("the palette has at most 256 colours");
    encoder.set_repeat(Repeat::Infinite).ok();
    let mut before: Option<Vec<u8>> = None;
    for picture in frames {
        let indices = palette.indices(&picture, dither);
        let mut frame = match (&before, store) {
            (Some(before), Store::Changes) => changes(before, &indices, width.into()),
            _ => Frame { width, height, buffer: indices.clone().into(), ..Frame::default() },
        };
        if store == Store::Cleared {
            let white = palette.nearest([255; 3]);
            frame.buffer = indices.iter().map(|&index| if index == white { TRANSPARENT } else { index }).collect::<Vec<_>>().into();
            frame.transparent = Some(TRANSPARENT);
            frame.dispose = DisposalMethod::Background;
        }
        frame.delay = delay;
        encoder.write_frame(&frame).ok();
        before = Some(indices);
    }
    drop(encoder);
    bytes
}

/// The colours of a picture, if there are at most 100.
fn exact_palette(picture: &Picture) -> Option<Vec<Colour>> {
    let mut colours = Vec::new();
    for pixel in &picture.pixels {
        if let Err(at) = colours.binary_search(pixel) {
            colours.insert(at, *pixel);
        }
        if colours.len() > 100 {
            return None;
        }
    }
    Some(colours)
}

struct Palette {
    exact: Option<Vec<Colour>>,
}

impl Palette {
    fn bytes(&self) -> Vec<u8> {
        let mut colours: Vec<Colour> = (0..252).map(Self::uniform).collect();
        if let Some(exact) = &self.exact {
            colours.truncate(252 - exact.len());
            colours.extend(exact);
        }
        colours.push([0; 3]);
        colours.concat()
    }

    /// A colour of the even palette.
    fn uniform(index: i32) -> Colour {
        let [_, greens, blues] = STEPS;
        let steps = [index / (greens * blues), index / blues % greens, index % blues];
        [0, 1, 2].map(|channel| (steps[channel] * 255 / (STEPS[channel] - 1)) as u8)
    }

    fn nearest(&self, colour: Colour) -> u8 {
        if let Some(exact) = &self.exact
            && let Ok(at) = exact.binary_search(&colour)
        {
            return (252 - exact.len() + at) as u8;
        }
        let step = |channel: usize| (i32::from(colour[channel]) * (STEPS[channel] - 1) + 127) / 255;
        let index = (step(0) * STEPS[1] + step(1)) * STEPS[2] + step(2);
        match &self.exact {
            // These are replaced by the colours of the picture.
            Some(exact) if index as usize >= 252 - exact.len() => 0,
            _ => index as u8,
        }
    }

    fn indices(&self, picture: &Picture, dither: Dither) -> Vec<u8> {
        const BAYER: [i32; 16] = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];
        let width = picture.width as usize;
        let shifted = |colour: [i32; 3]| colour.map(|channel| channel.clamp(0, 255) as u8);
        match dither {
            Dither::None => picture.pixels.iter().map(|&pixel| self.nearest(pixel)).collect(),
            Dither::Ordered => (picture.pixels.iter().enumerate())
                .map(|(at, pixel)| {
                    let threshold = BAYER[at / width % 4 * 4 + at % width % 4] * 3 - 22;
                    self.nearest(shifted(pixel.map(|channel| i32::from(channel) + threshold)))
                })
                .collect(),
            Dither::Diffused => {
                let mut errors = vec![[0_i32; 3]; picture.pixels.len() + width + 2];
                (picture.pixels.iter().enumerate())
                    .map(|(at, pixel)| {
                        let wanted = [0, 1, 2].map(|channel| i32::from(pixel[channel]) + errors[at][channel] / 16);
                        let index = self.nearest(shifted(wanted));
                        let found = Self::uniform(index.into());
                        for (behind, share) in [(1, 7), (width - 1, 3), (width, 5), (width + 1, 1)] {
                            for channel in 0..3 {
                                errors[at + behind][channel] += (wanted[channel] - i32::from(found[channel])) * share;
                            }
                        }
                        index
                    })
                    .collect()
            }
        }
    }
}

/// A frame with the changes, or with one transparent pixel if there are none.
fn changes(before: &[u8], after: &[u8], width: usize) -> Frame<'static> {
    let changed = || (0..after.len()).filter(|&at| before[at] != after[at]);
    let rows = changed().next().unwrap_or(0) / width..=changed().next_back().unwrap_or(0) / width;
    let columns = changed().map(|at| at % width);
    let (left, right) = (columns.clone().min().unwrap_or(0), columns.max().unwrap_or(0));
    let area = rows.clone().flat_map(|row| row * width + left..=row * width + right);
    let buffer: Vec<u8> = area.map(|at| if before[at] == after[at] { TRANSPARENT } else { after[at] }).collect();
    Frame {
        left: left as u16,
        top: *rows.start() as u16,
        width: (right - left + 1) as u16,
        height: rows.count() as u16,
        buffer: buffer.into(),
        transparent: Some(TRANSPARENT),
        ..Frame::default()
    }
}
