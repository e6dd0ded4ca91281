//! Media that browsers show or play.

use media_cache_test_support::images::{jpeg, png};
use media_cache_test_support::videos::mp4;

/// The number of bytes in [`long_video()`] between its frames and their index.
const GAP: u32 = 8 << 20;

/// An image: its type, its bytes, and its width and height.
pub type Picture = (&'static str, Vec<u8>, [u32; 2]);

/// One image in each format.
pub fn pictures() -> Vec<Picture> {
    vec![
        ("image/png", png(1), [16, 16]),
        ("image/jpeg", jpeg(1), [32, 32]),
        ("image/webp", include_bytes!("../data/small.webp").to_vec(), [24, 16]),
        ("image/avif", include_bytes!("../data/small.avif").to_vec(), [24, 16]),
        ("image/bmp", bmp(), [1, 1]),
        ("image/x-icon", ico(), [16, 16]),
        ("image/svg+xml", SVG.into(), [20, 10]),
    ]
}

/// An SVG image.
pub const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"20\" height=\"10\"><rect width=\"9\" height=\"9\"/></svg>";

/// One pixel.
fn bmp() -> Vec<u8> {
    let fields = [58_u32, 0, 54, 40, 1, 1, 1 | 24 << 16, 0, 4, 0, 0, 0, 0, 0xff_80_40];
    [b"BM".to_vec(), fields.iter().flat_map(|field| field.to_le_bytes()).collect()].concat()
}

/// An icon that contains a PNG.
fn ico() -> Vec<u8> {
    let png = png(2);
    let entry =
        [b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0", &(png.len() as u32).to_le_bytes()[..], &22_u32.to_le_bytes()].concat();
    [entry, png].concat()
}

/// One second of a tone.
pub fn wav() -> Vec<u8> {
    const RATE: u32 = 8000;
    let samples: Vec<u8> = (0..RATE).flat_map(|at| if at / 10 % 2 == 0 { [0, 0x20] } else { [0, 0xe0] }).collect();
    let size = samples.len() as u32;
    let format: Vec<u8> =
        [16_u32, 1 | 1 << 16, RATE, RATE * 2, 2 | 16 << 16].iter().flat_map(|field| field.to_le_bytes()).collect();
    let data = [b"data", &size.to_le_bytes()[..], &samples].concat();
    [b"RIFF", &(size + 36).to_le_bytes()[..], b"WAVEfmt ", &format, &data].concat()
}

/// A video with the index of its frames at the end, so that a player must seek there and back.
pub async fn long_video() -> Vec<u8> {
    let video = mp4().await;
    let (mut in_place, mut at_end, mut rest) = (Vec::new(), Vec::new(), &video[..]);
    while let Some(size) = rest.first_chunk().map(|size| u32::from_be_bytes(*size)) {
        // A size of 1 means that a longer size follows the type of the box.
        let size = if size == 1 { u64::from_be_bytes(*rest[8..].first_chunk().unwrap()) as u32 } else { size };
        let (this, others) = rest.split_at(size as usize);
        if &this[4..8] == b"moov" {
            at_end = this.to_vec();
            in_place.extend(free(size));
        } else {
            in_place.extend(this);
        }
        rest = others;
    }
    assert!(!at_end.is_empty());
    [in_place, free(GAP), at_end].concat()
}

/// A `free` box of this size, filled with zeros.
fn free(size: u32) -> Vec<u8> {
    let mut bytes = [&size.to_be_bytes()[..], b"free"].concat();
    bytes.resize(size as usize, 0);
    bytes
}
