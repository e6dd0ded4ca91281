//! What the tests of this module share: GIFs to transcode, and an independent look at the result.

use std::time::Duration;

use gif::{Encoder, Frame};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use re_mp4::{Mp4, StsdBoxContent};

use super::bitstream::units;
use super::{Deadline, Limits, TranscodeError, gif_to_mp4};

/// Red, green, blue, white.
pub(super) const PALETTE: &[u8] = &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];

/// A GIF of these frames with [`PALETTE`] for those that have none of their own.
pub(super) fn gif(width: u16, height: u16, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, PALETTE).unwrap();
    for frame in frames {
        encoder.write_frame(frame).unwrap();
    }
    drop(encoder);
    bytes
}

/// A frame of one palette index, at the top left, shown for `delay` hundredths of a second.
pub(super) fn flat(width: u16, height: u16, index: u8, delay: u16) -> Frame<'static> {
    Frame { width, height, delay, buffer: vec![index; usize::from(width) * usize::from(height)].into(), ..Frame::default() }
}

/// A deadline that no test reaches.
pub(super) fn no_hurry() -> Deadline {
    Deadline::starting_now(Duration::from_secs(600))
}

/// Transcodes within the default limits, except for time: a test may run on a machine that is busy.
pub(super) fn transcode(gif: &[u8]) -> Result<Vec<u8>, TranscodeError> {
    gif_to_mp4(gif, &Limits::default(), &no_hurry())
}

/// A decoded picture.
pub(super) struct Picture {
    /// Width in pixels.
    pub(super) width: usize,
    planes: [Vec<u8>; 3],
}

impl Picture {
    /// Height in pixels.
    pub(super) fn height(&self) -> usize {
        self.planes[0].len() / self.width
    }

    /// The plane of luma.
    pub(super) fn luma(&self) -> &[u8] {
        &self.planes[0]
    }

    /// Red, green and blue of a pixel, by the textbook formula for BT.601.
    pub(super) fn rgb601(&self, x: usize, y: usize) -> [u8; 3] {
        self.rgb(x, y, 0.299, 0.114)
    }

    /// Red, green and blue of a pixel, by the textbook formula for BT.709.
    pub(super) fn rgb709(&self, x: usize, y: usize) -> [u8; 3] {
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

/// What an independent reader finds in an MP4 file.
pub(super) struct Video {
    /// The file.
    pub(super) bytes: Vec<u8>,
    /// The file as parsed.
    pub(super) mp4: Mp4,
}

impl Video {
    /// Parses a file that is expected to have one track.
    pub(super) fn read(bytes: Vec<u8>) -> Self {
        let mp4 = Mp4::read_bytes(&bytes).unwrap();
        assert_eq!(mp4.tracks().len(), 1);
        Self { bytes, mp4 }
    }

    /// The only track.
    pub(super) fn track(&self) -> &re_mp4::Track {
        self.mp4.tracks().values().next().unwrap()
    }

    /// How long each frame is shown, in hundredths of a second.
    pub(super) fn durations(&self) -> Vec<u64> {
        self.track().samples.iter().map(|sample| sample.duration * 100 / sample.timescale).collect()
    }

    /// Names of the outermost boxes, in order.
    pub(super) fn boxes(&self) -> Vec<String> {
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
    pub(super) fn colour(&self) -> &[u8] {
        let start = self.bytes.windows(4).position(|name| name == b"colr").unwrap() + 4;
        &self.bytes[start..start + 11]
    }

    /// Decodes every frame.
    pub(super) fn pictures(&self) -> Vec<Picture> {
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

    /// The frames with start codes instead of lengths, the parameter sets before the first one.
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
            assert!(units(&frame).count() > 0);
            frames.push(frame);
        }
        frames
    }
}
