//! What H.264 encoders emit, rearranged into what MP4 holds.
//!
//! Encoders emit Annex B: units (NALs) behind start codes, the parameter sets again and again between the pictures. MP4 wants the
//! parameter sets once, apart from the pictures, and a length before each unit. Both encoders are read here, so both videos are
//! built alike.

use super::{Limits, TranscodeError};

/// The types of units that matter here, as the standard numbers them.
mod unit {
    pub const SLICES: std::ops::RangeInclusive<u8> = 1..=5;
    pub const KEYFRAME_SLICE: u8 = 5;
    pub const SEQUENCE_PARAMETERS: u8 = 7;
    pub const PICTURE_PARAMETERS: u8 = 8;
    pub const DELIMITER: u8 = 9;
}

/// One picture within [`EncodedVideo::payload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EncodedFrame {
    /// Length in bytes.
    pub(super) size: usize,
    /// Whether decoding can start here.
    pub(super) keyframe: bool,
}

/// A video as MP4 holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EncodedVideo {
    /// The sequence parameter set, without a start code.
    pub(super) sequence_parameters: Vec<u8>,
    /// The picture parameter set, without a start code.
    pub(super) picture_parameters: Vec<u8>,
    /// All frames in order, one after the other: units behind lengths of four bytes.
    pub(super) payload: Vec<u8>,
    /// The frames in the payload.
    pub(super) frames: Vec<EncodedFrame>,
}

impl EncodedVideo {
    /// Appends the units of exactly one picture.
    ///
    /// Slices are kept and parameter sets remembered; delimiters and supplemental information have no use within MP4.
    pub(super) fn push_frame<'a>(
        &mut self,
        units: impl IntoIterator<Item = &'a [u8]>,
        limits: &Limits,
    ) -> Result<(), TranscodeError> {
        let start = self.payload.len();
        let mut keyframe = false;
        for unit in units {
            match unit_type(unit) {
                Some(unit::SEQUENCE_PARAMETERS) => remember(&mut self.sequence_parameters, unit)?,
                Some(unit::PICTURE_PARAMETERS) => remember(&mut self.picture_parameters, unit)?,
                Some(slice) if unit::SLICES.contains(&slice) => {
                    keyframe |= slice == unit::KEYFRAME_SLICE;
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

    /// Reads a whole Annex B stream in which a delimiter starts every picture.
    pub(super) fn from_delimited(stream: &[u8], limits: &Limits) -> Result<Self, TranscodeError> {
        let mut video = Self::default();
        let mut picture = Vec::new();
        for unit in units(stream) {
            if unit_type(unit) == Some(unit::DELIMITER) && !picture.is_empty() {
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

/// The units of an Annex B stream, without start codes. What precedes the first start code is skipped.
pub(super) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let current = rest?;
        rest = after_start_code(current);
        let end = rest.map_or(current.len(), |next| current.len() - next.len() - START_CODE.len());
        // A unit ends with a bit that is set; zeros after it belong to a longer start code or are padding.
        let length = current[..end].iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        Some(&current[..length])
    })
}

const START_CODE: [u8; 3] = [0, 0, 1];

/// What follows the first start code.
fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    let start = stream.windows(START_CODE.len()).position(|window| window == START_CODE)?;
    Some(&stream[start + START_CODE.len()..])
}

fn unit_type(unit: &[u8]) -> Option<u8> {
    unit.first().map(|header| header & 0x1f)
}

fn remember(known: &mut Vec<u8>, unit: &[u8]) -> Result<(), TranscodeError> {
    if known.is_empty() {
        known.extend_from_slice(unit);
    }
    if known != unit { Err(failed("the encoder changed its parameter sets between frames")) } else { Ok(()) }
}

fn failed(what: &str) -> TranscodeError {
    TranscodeError::Encoder(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 66, 0, 30];
    const PPS: &[u8] = &[0x68, 1];

    #[test]
    fn units_are_found_behind_short_and_long_start_codes() {
        let stream = [9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 0];
        let found: Vec<&[u8]> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1][..], &[0x68, 2], &[0x65, 0, 0, 3]]);
        assert_eq!(units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn frames_are_split_at_delimiters_and_hold_slices_only() {
        let picture = |units: &[&[u8]]| units.iter().flat_map(|unit| [&START_CODE[..], unit].concat()).collect::<Vec<u8>>();
        let stream = [
            picture(&[&[9, 16], SPS, PPS, &[6, 5], &[0x65, 1], &[0x65, 2]]),
            picture(&[&[9, 48], &[0x41, 3]]),
            picture(&[&[9, 16], SPS, PPS, &[0x65, 4]]),
        ]
        .concat();
        let video = EncodedVideo::from_delimited(&stream, &Limits::default()).unwrap();
        assert_eq!((&video.sequence_parameters[..], &video.picture_parameters[..]), (SPS, PPS));
        let expected = [(12, true), (6, false), (6, true)].map(|(size, keyframe)| EncodedFrame { size, keyframe });
        assert_eq!(video.frames, expected);
        assert_eq!(video.payload[..12], [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 2, 0x65, 2]);
    }

    #[test]
    fn a_stream_that_cannot_be_an_mp4_track_is_an_error() {
        let push = |units: &[&[u8]]| EncodedVideo::default().push_frame(units.iter().copied(), &Limits::default());
        assert!(push(&[SPS, PPS, &[0x65, 1]]).is_ok());
        for units in [&[SPS, PPS][..], &[SPS, &[0x65, 1]], &[SPS, PPS, &[0x41, 1]], &[SPS, PPS, &[0x68, 2], &[0x65, 1]], &[]] {
            assert!(matches!(push(units), Err(TranscodeError::Encoder(_))), "{units:?}");
        }
    }

    #[test]
    fn a_video_that_grows_over_the_limit_is_an_error() {
        let limits = Limits { output_bytes: 10, ..Limits::default() };
        let mut video = EncodedVideo::default();
        assert!(video.push_frame([SPS, PPS, &[0x65, 1]], &limits).is_ok());
        let refused = video.push_frame([&[0x41, 1][..]], &limits);
        assert!(matches!(refused, Err(TranscodeError::OutputTooLarge { bytes: 12, limit: 10 })));
    }
}
