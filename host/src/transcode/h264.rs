//! OpenH264, linked into the host: no process to start, no program to install.
//!
//! Quality is fixed rather than the bit rate: a GIF's frames come at any pace, and an encoder that controls its rate would drop
//! or smear some of them. Every frame that goes in comes out.

use openh264::OpenH264API;
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, QpRange, RateControlMode, SpsPpsStrategy, VuiConfig,
};
use openh264::formats::YUVSlices;

use super::bitstream::{EncodedVideo, units};
use super::yuv::{I420, Matrix};
use super::{Limits, TranscodeError};

/// The quantiser that OpenH264 uses when rate control is off. With it, drawn lines stay clean and noise is not kept at any price.
const QUANTISER: u8 = 26;

/// Frames between two keyframes at most, so that seeking in a long animation stays quick.
const KEYFRAME_INTERVAL: u32 = 250;

/// The fastest a GIF can be, in frames a second. The encoder derives from it the level that it announces to players.
const FASTEST_PACE: f32 = 50.0;

/// An encoder for one video.
pub(super) struct H264Encoder {
    encoder: Encoder,
    stream: Vec<u8>,
    video: EncodedVideo,
    limits: Limits,
}

impl H264Encoder {
    /// An encoder for pictures whose colours were converted with this matrix.
    pub(super) fn new(matrix: Matrix, limits: &Limits) -> Result<Self, TranscodeError> {
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
            .max_frame_rate(FrameRate::from_hz(FASTEST_PACE))
            .num_threads(1)
            .vui(colours);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)?;
        Ok(Self { encoder, stream: Vec::new(), video: EncodedVideo::default(), limits: *limits })
    }

    /// Encodes the next picture. All pictures of a video have the same format.
    pub(super) fn encode(&mut self, picture: &I420) -> Result<(), TranscodeError> {
        let (width, height) = (picture.format.width, picture.format.height);
        let source = YUVSlices::new(picture.planes(), (width, height), (width, width / 2, width / 2));
        let encoded = self.encoder.encode(&source).map_err(failed)?;
        self.stream.clear();
        encoded.write_vec(&mut self.stream);
        self.video.push_frame(units(&self.stream), &self.limits)
    }

    /// The video that was encoded so far.
    pub(super) fn finish(self) -> EncodedVideo {
        self.video
    }
}

fn failed(error: openh264::Error) -> TranscodeError {
    TranscodeError::Encoder(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::yuv::VideoFormat;
    use super::*;

    /// The sequence parameters of a video with this matrix, as a string of bits.
    fn sequence_parameters(matrix: Matrix) -> String {
        let format = VideoFormat { matrix, ..VideoFormat::for_canvas(64, 64) };
        let mut encoder = H264Encoder::new(matrix, &Limits::default()).unwrap();
        encoder.encode(&I420::new(format)).unwrap();
        encoder.finish().sequence_parameters.iter().map(|byte| format!("{byte:08b}")).collect()
    }

    #[test]
    fn the_stream_says_how_its_colours_are_to_be_read() {
        // Video format unspecified (5), limited range (0), then a description (1): primaries, transfer, matrix.
        let description = |code: u8| format!("10101{}", format!("{code:08b}").repeat(3));
        assert!(sequence_parameters(Matrix::Bt601).contains(&description(6)));
        assert!(sequence_parameters(Matrix::Bt709).contains(&description(1)));
    }
}
