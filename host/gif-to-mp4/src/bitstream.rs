//! Rearranges the output of H.264 encoders for MP4.
//!
//! Encoders emit Annex B: NAL units after start codes, with the parameter sets repeated between the pictures. MP4 stores the parameter sets
//! once, separately from the pictures, and a length before each unit.

use crate::convert_error::ConvertError;
use crate::limits::Limits;

/// The relevant types of NAL units, with their numbers in the standard.
mod nal_type {
    pub const SLICES: std::ops::RangeInclusive<u8> = 1..=5;
    pub const KEYFRAME_SLICE: u8 = 5;
    pub const SEQUENCE_PARAMETERS: u8 = 7;
    pub const PICTURE_PARAMETERS: u8 = 8;
    pub const DELIMITER: u8 = 9;
}

/// One picture within [`EncodedVideo::payload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedFrame {
    /// Length in bytes.
    pub size: usize,
    /// Whether decoding can start at this frame.
    pub keyframe: bool,
}

/// An encoded video in the form in which MP4 stores it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedVideo {
    /// The sequence parameter set, without a start code.
    pub sequence_parameters: Vec<u8>,
    /// The picture parameter set, without a start code.
    pub picture_parameters: Vec<u8>,
    /// All frames in order: NAL units, each preceded by its length in four bytes.
    pub payload: Vec<u8>,
    /// The frames in the payload.
    pub frames: Vec<EncodedFrame>,
}

impl EncodedVideo {
    /// Appends the NAL units of exactly one picture.
    ///
    /// Slices go to the payload, and parameter sets are stored separately. Delimiters and supplemental information are dropped, since MP4
    /// has no use for them.
    pub fn push_frame<'a>(&mut self, units: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Result<(), ConvertError> {
        let start = self.payload.len();
        let mut keyframe = false;
        for unit in units {
            match nal_type_of(unit) {
                Some(nal_type::SEQUENCE_PARAMETERS) => set_parameters(&mut self.sequence_parameters, unit)?,
                Some(nal_type::PICTURE_PARAMETERS) => set_parameters(&mut self.picture_parameters, unit)?,
                Some(slice) if nal_type::SLICES.contains(&slice) => {
                    keyframe |= slice == nal_type::KEYFRAME_SLICE;
                    let length = u32::try_from(unit.len()).map_err(|_| failed("a unit is longer than 4 GiB"))?;
                    self.payload.extend_from_slice(&length.to_be_bytes());
                    self.payload.extend_from_slice(unit);
                }
                _ => {}
            }
            limits.check_output(self.payload.len())?;
        }
        let size = self.payload.len() - start;
        if size == 0 {
            return Err(failed("the encoder emitted no picture for a frame"));
        }
        if self.frames.is_empty() && !(keyframe && self.sequence_parameters.len() >= 4 && !self.picture_parameters.is_empty()) {
            return Err(failed("the video does not start with parameter sets and a keyframe"));
        }
        self.frames.push(EncodedFrame { size, keyframe });
        Ok(())
    }

    /// Reads a whole Annex B stream in which an access unit delimiter starts every picture.
    pub fn from_annex_b(stream: &[u8], limits: &Limits) -> Result<Self, ConvertError> {
        let mut video = Self::default();
        let mut picture = Vec::new();
        for unit in nal_units(stream) {
            if nal_type_of(unit) == Some(nal_type::DELIMITER) && !picture.is_empty() {
                video.push_frame(picture.drain(..), limits)?;
            }
            picture.push(unit);
        }
        if !picture.is_empty() {
            video.push_frame(picture, limits)?;
        }
        Ok(video)
    }
}

/// The NAL units of an Annex B stream, without start codes. Bytes before the first start code are skipped.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let current = rest?;
        rest = after_start_code(current);
        let end = rest.map_or(current.len(), |next| current.len() - next.len() - START_CODE.len());
        // A unit ends with a bit that is set. Trailing zeros are padding or belong to a longer start code.
        let length = current[..end].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Some(&current[..length])
    })
}

const START_CODE: [u8; 3] = [0, 0, 1];

/// The stream after its first start code.
fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    let start = stream.windows(START_CODE.len()).position(|window| window == START_CODE)?;
    Some(&stream[start + START_CODE.len()..])
}

fn nal_type_of(unit: &[u8]) -> Option<u8> {
    unit.first().map(|header| header & 0x1f)
}

fn set_parameters(parameters: &mut Vec<u8>, unit: &[u8]) -> Result<(), ConvertError> {
    if parameters.is_empty() {
        parameters.extend_from_slice(unit);
    }
    if parameters != unit { Err(failed("the encoder changed its parameter sets between frames")) } else { Ok(()) }
}

fn failed(what: &str) -> ConvertError {
    ConvertError::Encoder(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 66, 0, 30];
    const PPS: &[u8] = &[0x68, 1];

    #[test]
    fn nal_units_follow_short_and_long_start_codes() {
        let stream = [9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 0];
        let found: Vec<&[u8]> = nal_units(&stream).collect();
        assert_eq!(found, [&[0x67, 1][..], &[0x68, 2], &[0x65, 0, 0, 3]]);
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn frames_are_split_at_delimiters_and_contain_only_slices() {
        let picture = |units: &[&[u8]]| units.iter().flat_map(|unit| [&START_CODE[..], unit].concat()).collect::<Vec<u8>>();
        let stream = [
            picture(&[&[9, 16], SPS, PPS, &[6, 5], &[0x65, 1], &[0x65, 2]]),
            picture(&[&[9, 48], &[0x41, 3]]),
            picture(&[&[9, 16], SPS, PPS, &[0x65, 4]]),
        ]
        .concat();
        let video = EncodedVideo::from_annex_b(&stream, &Limits::default()).unwrap();
        assert_eq!((&video.sequence_parameters[..], &video.picture_parameters[..]), (SPS, PPS));
        let expected = [(12, true), (6, false), (6, true)].map(|(size, keyframe)| EncodedFrame { size, keyframe });
        assert_eq!(video.frames, expected);
        assert_eq!(video.payload[..12], [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 2, 0x65, 2]);
    }

    #[test]
    fn stream_without_parameter_sets_or_pictures_is_an_error() {
        let push = |units: &[&[u8]]| EncodedVideo::default().push_frame(units.iter().copied(), &Limits::default());
        assert!(push(&[SPS, PPS, &[0x65, 1]]).is_ok());
        for units in [&[SPS, PPS][..], &[SPS, &[0x65, 1]], &[SPS, PPS, &[0x41, 1]], &[SPS, PPS, &[0x68, 2], &[0x65, 1]], &[]] {
            assert!(matches!(push(units), Err(ConvertError::Encoder(_))), "{units:?}");
        }
    }

    #[test]
    fn video_over_the_size_limit_is_an_error() {
        let limits = Limits { output_bytes: 10, ..Limits::default() };
        let mut video = EncodedVideo::default();
        assert!(video.push_frame([SPS, PPS, &[0x65, 1]], &limits).is_ok());
        let rejected = video.push_frame([&[0x41, 1][..]], &limits);
        assert!(matches!(rejected, Err(ConvertError::OutputTooLarge { bytes: 12, limit: 10 })));
    }
}
