//! Shared by the tests: GIFs to convert, and an independent reader and decoder for the result.

use std::time::Duration;

use gif::{Encoder, Frame};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use re_mp4::{Mp4, StsdBoxContent};

use crate::bitstream::nal_units;
use crate::convert_error::ConvertError;
use crate::convert_gifs::Converted;
use crate::deadline::Deadline;

/// Red, green, blue, white.
pub(crate) const PALETTE: &[u8] = &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];

/// A GIF of these frames, with [`PALETTE`] as its global palette.
pub(crate) fn gif(width: u16, height: u16, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, PALETTE).unwrap();
    for frame in frames {
        encoder.write_frame(frame).unwrap();
    }
    drop(encoder);
    bytes
}

/// A frame of noise in two colours, at the top left, with a delay of 5 hundredths of a second.
pub(crate) fn noise(width: u16, height: u16, seed: u32) -> Frame<'static> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut bit = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state & 1) as u8 * 3
    };
    let buffer: Vec<u8> = (0..usize::from(width) * usize::from(height)).map(|_| bit()).collect();
    Frame { width, height, delay: 5, buffer: buffer.into(), ..Frame::default() }
}

/// A frame of a single colour, at the top left, with a delay in hundredths of a second.
pub(crate) fn flat(width: u16, height: u16, index: u8, delay: u16) -> Frame<'static> {
    Frame { width, height, delay, buffer: vec![index; usize::from(width) * usize::from(height)].into(), ..Frame::default() }
}

/// The video of a converted GIF.
pub(crate) fn video(converted: Result<Converted, ConvertError>) -> Result<Vec<u8>, ConvertError> {
    match converted? {
        Converted::Video(video) => Ok(video),
        Converted::Keep => panic!("the GIF is kept"),
    }
}

/// A deadline that no test reaches.
pub(crate) fn no_deadline() -> Deadline {
    Deadline::starting_now(Duration::from_secs(600))
}

/// A decoded picture.
pub(crate) struct Picture {
    /// Width in pixels.
    pub(crate) width: usize,
    planes: [Vec<u8>; 3],
}

impl Picture {
    /// Red, green and blue of a pixel, by the textbook formula for BT.709.
    pub(crate) fn rgb709(&self, x: usize, y: usize) -> [u8; 3] {
        self.rgb(x, y, 0.2126, 0.0722)
    }

    fn rgb(&self, x: usize, y: usize, red_weight: f64, blue_weight: f64) -> [u8; 3] {
        let chroma = (y / 2) * (self.width / 2) + x / 2;
        let luma = (f64::from(self.planes[0][y * self.width + x]) - 16.0) / 219.0;
        let difference = |plane: usize| (f64::from(self.planes[plane][chroma]) - 128.0) / 112.0;
        let blue = luma + difference(1) * (1.0 - blue_weight);
        let red = luma + difference(2) * (1.0 - red_weight);
        let green = (luma - red * red_weight - blue * blue_weight) / (1.0 - red_weight - blue_weight);
        [red, green, blue].map(|channel| (channel * 255.0).round().clamp(0.0, 255.0) as u8)
    }
}

#[cfg(feature = "openh264")]
impl Picture {
    /// Height in pixels.
    pub(crate) fn height(&self) -> usize {
        self.planes[0].len() / self.width
    }

    /// The luma plane.
    pub(crate) fn luma(&self) -> &[u8] {
        &self.planes[0]
    }

    /// Red, green and blue of a pixel, by the textbook formula for BT.601.
    pub(crate) fn rgb601(&self, x: usize, y: usize) -> [u8; 3] {
        self.rgb(x, y, 0.299, 0.114)
    }
}

/// An MP4 file, parsed by an independent reader.
pub(crate) struct VideoFile {
    /// The bytes of the file.
    pub(crate) bytes: Vec<u8>,
    /// The parsed file.
    pub(crate) mp4: Mp4,
}

impl VideoFile {
    /// Parses a file, which must have one track.
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let mp4 = Mp4::read_bytes(&bytes).unwrap();
        assert_eq!(mp4.tracks().len(), 1);
        Self { bytes, mp4 }
    }

    /// The only track.
    pub(crate) fn track(&self) -> &re_mp4::Track {
        self.mp4.tracks().values().next().unwrap()
    }

    /// How long each frame is shown, in hundredths of a second.
    pub(crate) fn durations(&self) -> Vec<u64> {
        self.track().samples.iter().map(|sample| sample.duration * 100 / sample.timescale).collect()
    }

    /// Names of the outermost boxes, in order.
    pub(crate) fn boxes(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut rest = &self.bytes[..];
        while let Some((header, _)) = rest.split_first_chunk::<8>() {
            names.push(String::from_utf8_lossy(&header[4..]).into_owned());
            let size = match u32::from_be_bytes([header[0], header[1], header[2], header[3]]) {
                1 => usize::try_from(u64::from_be_bytes(rest[8..16].try_into().unwrap())).unwrap(),
                size => usize::try_from(size).unwrap(),
            };
            rest = &rest[size..];
        }
        names
    }

    /// The payload of the `colr` box.
    pub(crate) fn colour(&self) -> &[u8] {
        let start = self.bytes.windows(4).position(|name| name == b"colr").unwrap() + 4;
        &self.bytes[start..start + 11]
    }

    /// The level that the video declares, times ten.
    pub(crate) fn level(&self) -> u8 {
        let stsd = &self.track().trak(&self.mp4).mdia.minf.stbl.stsd.contents;
        let StsdBoxContent::Avc1(avc1) = stsd else { panic!("not avc1") };
        avc1.avcc.contents.sequence_parameter_sets[0].bytes[3]
    }

    /// Decodes every frame.
    pub(crate) fn pictures(&self) -> Vec<Picture> {
        let mut decoder = Decoder::new().unwrap();
        self.annex_b()
            .iter()
            .map(|frame| {
                let decoded = decoder.decode(frame).unwrap().unwrap();
                let (width, height) = decoded.dimensions();
                let plane = |bytes: &[u8], stride: usize, width: usize, height: usize| {
                    (0..height).flat_map(|row| bytes[row * stride..][..width].to_vec()).collect::<Vec<u8>>()
                };
                let (y, u, v) = decoded.strides();
                let planes = [
                    plane(decoded.y(), y, width, height),
                    plane(decoded.u(), u, width / 2, height / 2),
                    plane(decoded.v(), v, width / 2, height / 2),
                ];
                Picture { width, planes }
            })
            .collect()
    }

    /// The frames in Annex B: start codes instead of lengths, and the parameter sets before the first frame.
    fn annex_b(&self) -> Vec<Vec<u8>> {
        let stsd = &self.track().trak(&self.mp4).mdia.minf.stbl.stsd.contents;
        let StsdBoxContent::Avc1(avc1) = stsd else { panic!("not avc1") };
        let avcc = &avc1.avcc.contents;
        let mut parameters = Vec::new();
        for unit in avcc.sequence_parameter_sets.iter().chain(&avcc.picture_parameter_sets) {
            parameters.extend_from_slice(&[0, 0, 0, 1]);
            parameters.extend_from_slice(&unit.bytes);
        }
        let mut frames = Vec::new();
        for sample in &self.track().samples {
            let mut rest = &self.bytes[sample.byte_range()];
            let mut frame = std::mem::take(&mut parameters);
            while let Some((length, unit)) = rest.split_first_chunk::<4>() {
                let (unit, after) = unit.split_at(u32::from_be_bytes(*length) as usize);
                frame.extend_from_slice(&[0, 0, 0, 1]);
                frame.extend_from_slice(unit);
                rest = after;
            }
            assert!(nal_units(&frame).count() > 0);
            frames.push(frame);
        }
        frames
    }
}
