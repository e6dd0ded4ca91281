//! The blocks of a GIF: its screen, its palettes and where the data of each frame is. Nothing is decompressed and nothing is allocated.
//!
//! Where the format is ambiguous, this follows browsers, so that a video shows what `<img>` would. The reference is Chromium (Skia with
//! Wuffs); Firefox differs where noted.
//!
//! - The canvas is the logical screen, extended to the right and bottom edges of the first frame. A screen of zero width or height is
//!   extended like any other. Later frames are clipped. (Firefox makes the canvas as large as the first frame and moves that frame
//!   to the corner.)
//! - Any byte that starts neither an extension nor an image ends the file, as the trailer and the end of the data do. Anything after it is
//!   ignored, and a frame whose data is cut off is not counted.
//! - Unknown extensions, comments and plain text are skipped. A graphic control extension applies to the next image, even if other blocks
//!   lie between them. If there are several, the last one applies. If an extension is longer than usual, only its first four bytes are
//!   read; a shorter one is ignored. Firefox does the same; Chromium shows no frame after an extension of an unusual length.

use crate::canvas::DisposalMethod;
use crate::convert_error::ConvertError;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const GRAPHIC_CONTROL: u8 = 0xf9;

/// The blocks of a GIF, read up to its first frame.
#[derive(Debug)]
pub struct GifBlocks<'a> {
    /// Width of the canvas in pixels.
    pub width: u32,
    /// Height of the canvas in pixels.
    pub height: u32,
    global_palette: &'a [u8],
    bytes: Bytes<'a>,
    next: Option<GifImage<'a>>,
}

/// A frame whose data is complete, as far as can be determined without decompressing it.
#[derive(Debug, Clone)]
pub struct GifImage<'a> {
    /// Columns between the left edge of the canvas and the image.
    pub left: u16,
    /// Rows between the top edge of the canvas and the image.
    pub top: u16,
    /// Width in pixels; 0 for an image that draws nothing.
    pub width: u16,
    /// Height in pixels; 0 for an image that draws nothing.
    pub height: u16,
    /// Whether the rows are stored in four passes.
    pub interlaced: bool,
    /// Red, green and blue of each index: the local palette, or the global one. Empty if there is neither.
    pub palette: &'a [u8],
    /// How long the image is shown, in hundredths of a second, as stated in the file.
    pub delay: u16,
    /// The index that is not drawn.
    pub transparent: Option<u8>,
    /// What happens to the image before the next frame is drawn.
    pub disposal: DisposalMethod,
    /// Bits of a palette index, as stated in the file, unchecked.
    pub code_size: u8,
    /// Blocks of compressed indices, each preceded by its length, without the empty block that ends them.
    pub data: &'a [u8],
}

/// The contents of a graphic control extension, which apply to the next image.
#[derive(Debug, Default)]
struct Control {
    delay: u16,
    transparent: Option<u8>,
    disposal: DisposalMethod,
}

impl<'a> GifBlocks<'a> {
    /// Reads up to the first frame, which determines the size of the canvas.
    ///
    /// # Errors
    /// [`ConvertError::Malformed`] for a file without the signature or with an incomplete first frame, [`ConvertError::NoFrames`] for a
    /// file that ends before its first frame.
    pub fn open(gif: &'a [u8]) -> Result<Self, ConvertError> {
        let mut bytes = Bytes(gif);
        if !matches!(bytes.take(6), Some(b"GIF87a" | b"GIF89a")) {
            return Err(ConvertError::Malformed("malformed GIF header".into()));
        }
        let header = bytes.screen().ok_or_else(|| ConvertError::Malformed("it ends within its header".into()))?;
        let (width, height, global_palette) = header;
        let mut blocks = Self { width: width.into(), height: height.into(), global_palette, bytes, next: None };
        let first = match blocks.read_image() {
            Ended::At(image) => image,
            Ended::Early => return Err(ConvertError::Malformed("it ends within its first frame".into())),
            Ended::Properly => return Err(ConvertError::NoFrames),
        };
        blocks.width = blocks.width.max(u32::from(first.left) + u32::from(first.width));
        blocks.height = blocks.height.max(u32::from(first.top) + u32::from(first.height));
        blocks.next = Some(first);
        Ok(blocks)
    }

    /// Reads up to the end of the next complete frame. `None` if there are no more.
    pub fn next_image(&mut self) -> Option<GifImage<'a>> {
        let image = self.next.take();
        image.or_else(|| match self.read_image() {
            Ended::At(image) => Some(image),
            Ended::Early | Ended::Properly => None,
        })
    }

    fn read_image(&mut self) -> Ended<GifImage<'a>> {
        let mut control = Control::default();
        loop {
            let Some(&[introducer]) = self.bytes.take(1) else { return Ended::Properly };
            let read = match introducer {
                EXTENSION => self.bytes.extension(&mut control),
                IMAGE => return self.bytes.image(&control, self.global_palette).map_or(Ended::Early, Ended::At),
                _ => None,
            };
            if read.is_none() {
                // The remaining bytes are not part of the animation.
                self.bytes = Bytes(&[]);
                return Ended::Properly;
            }
        }
    }
}

/// How the search for a frame ended: at a complete frame, within a frame, or without a frame.
enum Ended<T> {
    At(T),
    Early,
    Properly,
}

/// The bytes that have not been read yet. Every method returns `None` if they end too early.
#[derive(Debug, Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Width and height of the logical screen, and the global palette.
    fn screen(&mut self) -> Option<(u16, u16, &'a [u8])> {
        let &[width, width_high, height, height_high, flags, _background, _aspect] = self.take(7)? else { return None };
        let palette = self.palette(flags)?;
        Some((u16::from_le_bytes([width, width_high]), u16::from_le_bytes([height, height_high]), palette))
    }

    /// The palette that these flags declare, or an empty one.
    fn palette(&mut self, flags: u8) -> Option<&'a [u8]> {
        let announced = flags & 0x80 != 0;
        self.take(if announced { 3 << ((flags & 0x07) + 1) } else { 0 })
    }

    /// Blocks, each preceded by its length, without the empty block that ends them.
    fn blocks(&mut self) -> Option<&'a [u8]> {
        let start = self.0;
        loop {
            let &[length] = self.take(1)? else { return None };
            if length == 0 {
                return start.get(..start.len() - self.0.len() - 1);
            }
            self.take(length.into())?;
        }
    }

    fn extension(&mut self, control: &mut Control) -> Option<()> {
        let &[label] = self.take(1)? else { return None };
        let blocks = self.blocks()?;
        if label == GRAPHIC_CONTROL
            && let &[length, flags, delay, delay_high, transparent, ..] = blocks
            && length >= 4
        {
            *control = Control {
                delay: u16::from_le_bytes([delay, delay_high]),
                transparent: (flags & 1 != 0).then_some(transparent),
                disposal: match flags >> 2 & 0x07 {
                    2 => DisposalMethod::Background,
                    // Some encoders write 4 for what the standard calls 3.
                    3 | 4 => DisposalMethod::Previous,
                    _ => DisposalMethod::Keep,
                },
            };
        }
        Some(())
    }

    fn image(&mut self, control: &Control, global_palette: &'a [u8]) -> Option<GifImage<'a>> {
        let &[left, left_high, top, top_high, width, width_high, height, height_high, flags] = self.take(9)? else { return None };
        let local_palette = self.palette(flags)?;
        let &[code_size] = self.take(1)? else { return None };
        let data = self.blocks()?;
        Some(GifImage {
            left: u16::from_le_bytes([left, left_high]),
            top: u16::from_le_bytes([top, top_high]),
            width: u16::from_le_bytes([width, width_high]),
            height: u16::from_le_bytes([height, height_high]),
            interlaced: flags & 0x40 != 0,
            palette: if local_palette.is_empty() { global_palette } else { local_palette },
            delay: control.delay,
            transparent: control.transparent,
            disposal: control.disposal,
            code_size,
            data,
        })
    }
}
