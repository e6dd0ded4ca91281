//! Encodes with OpenH264, which is linked into the program: no process to start, nothing to install.
//!
//! The quality is fixed rather than the bit rate: the frames of a GIF have arbitrary delays, and rate control would drop or smear
//! some of them. Every frame is encoded.
//!
//! The settings are those for screen content: OpenH264 then detects scrolling areas and searches further for motion, which makes GIFs of
//! every kind smaller. Its output is recoded with CABAC, for which its Rust interface has no setting.

use openh264::OpenH264API;
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, QpRange, RateControlMode, SpsPpsStrategy, UsageType,
    VuiConfig,
};
use openh264::formats::YUVSlices;

use crate::bitstream::{EncodedVideo, nal_units};
use crate::convert_error::ConvertError;
use crate::level::MAX_FRAME_RATE;
use crate::limits::Limits;
use crate::recode::Recoder;
use crate::yuv::{I420, Matrix, VideoFormat};

/// The quantiser, since rate control is off. It keeps drawn lines clean without preserving noise.
const QUANTISER: u8 = 26;

/// The maximum distance between two keyframes, in frames, so that seeking in a long animation is fast.
const KEYFRAME_INTERVAL: u32 = 250;

/// The dimensions of the largest picture that OpenH264 can encode, in pixels.
const MAX_LONG_SIDE: usize = 3840;
const MAX_SHORT_SIDE: usize = 2160;

/// An encoder for one video.
pub(crate) struct H264Encoder {
    encoder: Encoder,
    stream: Vec<u8>,
    recoder: Recoder,
    video: EncodedVideo,
    limits: Limits,
}

impl H264Encoder {
    /// An encoder for pictures of this format.
    pub(crate) fn new(format: VideoFormat, limits: &Limits) -> Result<Self, ConvertError> {
        let VideoFormat { width, height, matrix } = format;
        if width.max(height) > MAX_LONG_SIDE || width.min(height) > MAX_SHORT_SIDE {
            return Err(ConvertError::TooLargeForEncoder { width, height });
        }
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config(matrix)).map_err(failed)?;
        let (stream, recoder, video) = (Vec::new(), Recoder::default(), EncodedVideo::default());
        Ok(Self { encoder, stream, recoder, video, limits: *limits })
    }

    /// Encodes the next picture. All pictures of a video must have the same format.
    pub(crate) fn encode(&mut self, picture: &I420) -> Result<(), ConvertError> {
        let (width, height) = (picture.format.width, picture.format.height);
        let source = YUVSlices::new(picture.planes(), (width, height), (width, width / 2, width / 2));
        let encoded = self.encoder.encode(&source).map_err(failed)?;
        self.stream.clear();
        encoded.write_vec(&mut self.stream);
        let recoded: Option<Vec<_>> = nal_units(&self.stream).map(|unit| self.recoder.recode(unit)).collect();
        let recoded = recoded.ok_or_else(|| ConvertError::Encoder("the output of OpenH264 cannot be recoded".into()))?;
        self.video.push_frame(recoded.iter().map(Vec::as_slice), &self.limits)
    }

    /// The video of all pictures so far.
    pub(crate) fn finish(self) -> EncodedVideo {
        self.video
    }
}

/// How OpenH264 encodes pictures with this matrix.
fn config(matrix: Matrix) -> EncoderConfig {
    let colours = match matrix {
        Matrix::Bt601 => VuiConfig::bt601(),
        Matrix::Bt709 => VuiConfig::bt709(),
    };
    EncoderConfig::new()
        .rate_control_mode(RateControlMode::Off)
        .qp(QpRange::new(QUANTISER, QUANTISER))
        .skip_frames(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .complexity(Complexity::Medium)
        .usage_type(UsageType::ScreenContentRealTime)
        .profile(Profile::Baseline)
        .sps_pps_strategy(SpsPpsStrategy::ConstantId)
        .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_INTERVAL))
        // The encoder derives the level from the frame rate and the size of the first picture.
        .max_frame_rate(FrameRate::from_hz(MAX_FRAME_RATE as f32))
        .num_threads(1)
        .vui(colours)
}

fn failed(error: openh264::Error) -> ConvertError {
    ConvertError::Encoder(error.to_string())
}

#[cfg(test)]
mod tests {
    use openh264::decoder::Decoder;
    use openh264::formats::YUVSource;

    use super::*;

    /// The sequence parameters of a video with this matrix, as a string of bits.
    fn sequence_parameters(matrix: Matrix) -> String {
        let format = VideoFormat { matrix, ..VideoFormat::for_canvas(64, 64) };
        let mut encoder = H264Encoder::new(format, &Limits::default()).unwrap();
        encoder.encode(&I420::new(format)).unwrap();
        encoder.finish().sequence_parameters.iter().map(|byte| format!("{byte:08b}")).collect()
    }

    #[test]
    fn stream_is_tagged_with_its_colour_matrix() {
        // Video format unspecified (5), limited range (0), then a description (1): primaries, transfer, matrix.
        let description = |code: u8| format!("10101{}", format!("{code:08b}").repeat(3));
        assert!(sequence_parameters(Matrix::Bt601).contains(&description(6)));
        assert!(sequence_parameters(Matrix::Bt709).contains(&description(1)));
    }

    /// Pictures with each kind of content: moving noise, changing noise, scrolling stripes, flat areas, and high contrast.
    fn pictures(format: VideoFormat) -> Vec<I420> {
        let mut state = 1_u32;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let texture: Vec<u8> = (0..format.width * format.height * 4).map(|_| random().to_le_bytes()[0]).collect();
        let mut pictures = Vec::new();
        for number in 0..48 {
            let mut picture = I420::new(format);
            let (width, phase) = (format.width, number % 12);
            for (at, value) in picture.bytes.iter_mut().enumerate() {
                let (x, y) = (at % width, at / width);
                *value = match (number / 12, x / 32 % 2 == 0) {
                    (0, true) => texture[at + phase * 3] / 2 + 64,
                    (0, false) => (x * 3 + y * 2 + phase) as u8,
                    (1, true) => ((y + phase * 5) / 7 % 2 * 180 + 30) as u8,
                    (1, false) => 128 + texture[at] % 3,
                    (2, _) if (x + 64 - phase) % 64 < 20 && y % 40 < 22 => texture[at] / 4 * 4,
                    (2, _) => 90,
                    (_, true) if random() % 5 == 0 => {
                        if texture[at] > 128 {
                            255
                        } else {
                            0
                        }
                    }
                    (_, true) => 40,
                    (_, false) => texture[at % 4096] & 0xf0,
                };
            }
            pictures.push(picture);
        }
        pictures
    }

    fn decoded(decoder: &mut Decoder, stream: &[u8]) -> Vec<u8> {
        let picture = decoder.decode(stream).unwrap().unwrap();
        let (width, height) = picture.dimensions();
        let plane = |bytes: &[u8], stride: usize, width: usize, height: usize| -> Vec<u8> {
            bytes.chunks(stride).take(height).flat_map(|row| row[..width].to_vec()).collect()
        };
        let (luma, blue, red) = picture.strides();
        let planes = [
            plane(picture.y(), luma, width, height),
            plane(picture.u(), blue, width / 2, height / 2),
            plane(picture.v(), red, width / 2, height / 2),
        ];
        planes.concat()
    }

    #[test]
    fn recoded_stream_decodes_to_the_same_pictures_as_the_original() {
        for (width, height) in [(16, 16), (34, 18), (160, 90), (400, 304)] {
            let format = VideoFormat::for_canvas(width, height);
            let mut plain = Encoder::with_api_config(OpenH264API::from_source(), config(format.matrix)).unwrap();
            let (mut recoder, mut before, mut after) = (Recoder::default(), 0, 0);
            let (mut one, mut other) = (Decoder::new().unwrap(), Decoder::new().unwrap());
            for (number, picture) in pictures(format).iter().enumerate() {
                let source = YUVSlices::new(
                    picture.planes(),
                    (format.width, format.height),
                    (format.width, format.width / 2, format.width / 2),
                );
                let stream = plain.encode(&source).unwrap().to_vec();
                let recoded: Vec<u8> =
                    nal_units(&stream).flat_map(|unit| [&[0, 0, 0, 1], &recoder.recode(unit).unwrap()[..]].concat()).collect();
                assert_ne!(recoded, stream);
                let (expected, shown) = (decoded(&mut one, &stream), decoded(&mut other, &recoded));
                assert!(expected == shown, "picture {number} of {width}x{height}");
                (before, after) = (before + stream.len(), after + recoded.len());
            }
            // Probabilities are learnt within a picture, which takes more than a few macroblocks.
            assert!(width < 400 || after < before * 9 / 10, "{after} bytes instead of {before}");
        }
    }

    #[test]
    fn damaged_stream_is_recoded_or_refused_without_a_panic() {
        let format = VideoFormat::for_canvas(64, 48);
        let mut plain = Encoder::with_api_config(OpenH264API::from_source(), config(format.matrix)).unwrap();
        let mut refused = 0;
        for picture in &pictures(format)[..14] {
            let source = YUVSlices::new(picture.planes(), (64, 48), (64, 32, 32));
            let stream = plain.encode(&source).unwrap().to_vec();
            for damage in 0..200 {
                let mut damaged = stream.clone();
                let at = damage * 7919 % damaged.len();
                damaged[at] ^= 1 << (damage % 8);
                damaged.truncate(damaged.len() - damage % 3);
                let mut recoder = Recoder::default();
                refused += usize::from(nal_units(&damaged).any(|unit| recoder.recode(unit).is_none()));
            }
        }
        assert!(refused > 1000, "{refused} of 2800");
    }
}
