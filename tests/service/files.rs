//! Real files: pictures, animations and films, made on the spot, and a look at films that come back.

use gif::{Encoder, Frame, Repeat};
use media_cache::transcode::{EmbeddedTranscoder, Transcoder};
use re_mp4::Mp4;

/// A sequence of numbers that is the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Bytes that differ for each seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.next().to_le_bytes()).take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// A PNG of coloured noise, so that it has a little more than three bytes a pixel.
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

/// A small picture.
pub fn png(seed: u64) -> Vec<u8> {
    png_of(seed, 16, 16)
}

/// A picture of about 100 KB.
pub fn photo(seed: u64) -> Vec<u8> {
    png_of(seed, 182, 182)
}

/// A picture of more than 5 MiB: too large to be kept in memory while it comes in.
pub fn poster(seed: u64) -> Vec<u8> {
    let png = png_of(seed, 1400, 1400);
    assert!(png.len() > 5 << 20);
    png
}

pub fn jpeg(seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.encode(&noise(seed, 32 * 32 * 3), 32, 32, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// An animation with a frame for each delay, in hundredths of a second.
pub fn gif(delays: &[u16]) -> Vec<u8> {
    const PALETTE: &[u8] = &[200, 30, 30, 30, 200, 30, 30, 30, 200, 240, 240, 240];
    let (width, height) = (48, 32);
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

/// A film.
pub async fn mp4() -> Vec<u8> {
    EmbeddedTranscoder::default().gif_to_mp4(gif(&[10, 20, 30]).into()).await.unwrap()
}

/// How long each frame of a film is shown, in hundredths of a second, as an independent reader sees it.
pub fn frame_times(film: &[u8]) -> Vec<u64> {
    let film = Mp4::read_bytes(film).unwrap();
    let tracks: Vec<_> = film.tracks().values().collect();
    assert_eq!(tracks.len(), 1);
    assert_eq!((tracks[0].width, tracks[0].height), (48, 32));
    tracks[0].samples.iter().map(|sample| sample.duration * 100 / sample.timescale).collect()
}
