//! Encodes with OpenH264, which is linked into the program: no process to start, nothing to install.
//!
//! The quality is fixed rather than the bit rate: the frames of a GIF have arbitrary delays, and rate control would drop or smear
//! some of them. Every frame is encoded.

use openh264::OpenH264API;
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, QpRange, RateControlMode, SpsPpsStrategy, VuiConfig,
};
use openh264::formats::YUVSlices;

use crate::bitstream::{EncodedVideo, nal_units};
use crate::convert_error::ConvertError;
use crate::level::MAX_FRAME_RATE;
use crate::limits::Limits;
use crate::yuv::{I420, Matrix, VideoFormat};

/// The quantiser, since rate control is off. It keeps drawn lines clean without preserving noise.
const QUANTISER: u8 = 26;

/// The largest distance between two keyframes, in frames, so that seeking in a long animation is quick.
const KEYFRAME_INTERVAL: u32 = 250;

/// The sides of the largest picture that OpenH264 encodes, in pixels.
const MAX_LONG_SIDE: usize = 3840;
const MAX_SHORT_SIDE: usize = 2160;

/// An encoder for one video.
pub(crate) struct H264Encoder {
    encoder: Encoder,
    stream: Vec<u8>,
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
        let colours = match matrix {
            Matrix::Bt601 => VuiConfig::bt601(),
            Matrix::Bt709 => VuiConfig::bt709(),
        };
        let config = EncoderConfig::new()
            .rate_control_mode(RateControlMode::Off)
            .qp(QpRange::new(QUANTISER, QUANTISER))
            .skip_frames(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .complexity(Complexity::Low)
            .profile(Profile::Baseline)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .intra_frame_period(IntraFramePeriod::from_num_frames(KEYFRAME_INTERVAL))
            // The encoder derives the level from it, and from the size of the first picture.
            .max_frame_rate(FrameRate::from_hz(MAX_FRAME_RATE as f32))
            .num_threads(1)
            .vui(colours);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)?;
        Ok(Self { encoder, stream: Vec::new(), video: EncodedVideo::default(), limits: *limits })
    }

    /// Encodes the next picture. All pictures of a video have the same format.
    pub(crate) fn encode(&mut self, picture: &I420) -> Result<(), ConvertError> {
        let (width, height) = (picture.format.width, picture.format.height);
        let source = YUVSlices::new(picture.planes(), (width, height), (width, width / 2, width / 2));
        let encoded = self.encoder.encode(&source).map_err(failed)?;
        self.stream.clear();
        encoded.write_vec(&mut self.stream);
        self.video.push_frame(nal_units(&self.stream), &self.limits)
    }

    /// The video of all pictures so far.
    pub(crate) fn finish(self) -> EncodedVideo {
        self.video
    }
}

fn failed(error: openh264::Error) -> ConvertError {
    ConvertError::Encoder(error.to_string())
}

#[cfg(test)]
mod tests {
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
}
