//! Images and animations, generated from seeds.

use gif::{Encoder, Frame, Repeat};

use crate::random::noise;

/// A PNG of coloured noise with a little more than three bytes per pixel.
#[must_use]
pub fn png_of(seed: u64, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::NoCompression);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&noise(seed, (width * height * 3) as usize)).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A small image.
#[must_use]
pub fn png(seed: u64) -> Vec<u8> {
    png_of(seed, 16, 16)
}

/// An image of about 100 KB.
#[must_use]
pub fn photo(seed: u64) -> Vec<u8> {
    png_of(seed, 182, 182)
}

/// An image of more than 5 MiB, which is too large to be kept in memory while it is received.
#[must_use]
pub fn poster(seed: u64) -> Vec<u8> {
    let png = png_of(seed, 1400, 1400);
    assert!(png.len() > 5 << 20);
    png
}

/// A small JPEG.
#[must_use]
pub fn jpeg(seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.encode(&noise(seed, 32 * 32 * 3), 32, 32, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

const PALETTE: &[u8] = &[200, 30, 30, 30, 200, 30, 30, 30, 200, 240, 240, 240];

/// The width and height of [`gif()`].
pub const GIF_SIZE: (u16, u16) = (48, 32);

/// An animation with one frame per delay, in hundredths of a second.
#[must_use]
pub fn gif(delays: &[u16]) -> Vec<u8> {
    let (width, height) = GIF_SIZE;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, PALETTE).unwrap();
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for (number, delay) in delays.iter().enumerate() {
        let pixels = (0..usize::from(width) * usize::from(height)).map(|at| ((at / 5 + number) % 4) as u8).collect::<Vec<_>>();
        encoder.write_frame(&Frame { width, height, delay: *delay, buffer: pixels.into(), ..Frame::default() }).unwrap();
    }
    drop(encoder);
    bytes
}

/// An animation with the same noise in every frame. Its video is much smaller, because the video contains the noise only once.
#[must_use]
pub fn repetitive_gif(frames: usize) -> Vec<u8> {
    let (width, height) = GIF_SIZE;
    let pixels: Vec<u8> = noise(1, usize::from(width) * usize::from(height)).into_iter().map(|byte| byte % 4).collect();
    let frame = Frame { width, height, delay: 5, buffer: pixels.into(), ..Frame::default() };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, PALETTE).unwrap();
    for _ in 0..frames {
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    bytes
}
