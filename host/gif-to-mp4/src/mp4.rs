//! Writes the MP4 file around an encoded video.
//!
//! The time scale is hundredths of a second, as in GIF, so every duration is exact. `moov` precedes `mdat`, so a player can start
//! before the file is complete. There are no edit lists and no creation times: the same video gives the same file.

use std::num::NonZeroU32;

use shiguredo_mp4::boxes::{Avc1Box, AvccBox, SampleEntry, UnknownBox, VisualSampleEntryFields};
use shiguredo_mp4::mux::{FinalizedBoxes, Mp4FileMuxer, Mp4FileMuxerOptions, MuxError, Sample};
use shiguredo_mp4::{BoxSize, BoxType, TrackKind, Uint};

use crate::bitstream::EncodedVideo;
use crate::convert_error::ConvertError;
use crate::pictures::Shown;
use crate::yuv::{Matrix, VideoFormat};

/// Units of time per second: 100.
const TIMESCALE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// A complete file.
#[derive(Debug)]
pub(crate) struct Video {
    pub(crate) file: Vec<u8>,
    /// The number of frames of the animation that it shows.
    pub(crate) frames: usize,
}

impl Video {
    /// The file for a video and the frames that it shows.
    pub(crate) fn write(video: &EncodedVideo, format: VideoFormat, shown: &Shown) -> Result<Self, ConvertError> {
        Ok(Self { file: write(video, format, &shown.durations)?, frames: shown.frames })
    }
}

/// The file for a video and the duration of each of its frames, in hundredths of a second.
pub fn write(video: &EncodedVideo, format: VideoFormat, durations: &[u32]) -> Result<Vec<u8>, ConvertError> {
    if video.frames.len() != durations.len() {
        let (frames, expected) = (video.frames.len(), durations.len());
        return Err(ConvertError::Encoder(format!("{expected} frames went in, {frames} came out")));
    }
    let entry = sample_entry(video, format)?;
    // The muxer must know how many bytes to reserve for `moov`, whose size does not depend on that number, so the first run measures it.
    let moov_size = mux(video, &entry, durations, 0).map_err(failed)?.boxes.moov_box_size();
    let Muxed { mut file, boxes } = mux(video, &entry, durations, moov_size).map_err(failed)?;
    if !boxes.is_faststart_enabled() {
        return Err(ConvertError::Encoder("moov does not fit before mdat".into()));
    }
    file.extend_from_slice(&video.payload);
    for (offset, bytes) in boxes.offset_and_bytes_pairs() {
        let target = usize::try_from(offset).ok().and_then(|offset| file.get_mut(offset..offset + bytes.len()));
        let target = target.ok_or_else(|| ConvertError::Encoder("a box lies outside the file".into()))?;
        target.copy_from_slice(bytes);
    }
    Ok(file)
}

/// A file without its payload, and the boxes to write over its start.
struct Muxed {
    file: Vec<u8>,
    boxes: FinalizedBoxes,
}

fn mux(video: &EncodedVideo, entry: &SampleEntry, durations: &[u32], reserved_for_moov: usize) -> Result<Muxed, MuxError> {
    let options = Mp4FileMuxerOptions { reserved_moov_box_size: reserved_for_moov, ..Mp4FileMuxerOptions::default() };
    let mut muxer = Mp4FileMuxer::with_options(options)?;
    let mut file = Vec::with_capacity(muxer.initial_boxes_bytes().len() + video.payload.len());
    file.extend_from_slice(muxer.initial_boxes_bytes());

    let mut data_offset = file.len() as u64;
    let mut sample_entry = Some(entry.clone());
    for (frame, &duration) in video.frames.iter().zip(durations) {
        muxer.append_sample(&Sample {
            track_kind: TrackKind::Video,
            sample_entry: sample_entry.take(),
            keyframe: frame.keyframe,
            timescale: TIMESCALE,
            duration,
            composition_time_offset: None,
            data_offset,
            data_size: frame.size,
        })?;
        data_offset += frame.size as u64;
    }
    let boxes = muxer.finalize()?.clone();
    Ok(Muxed { file, boxes })
}

fn sample_entry(video: &EncodedVideo, format: VideoFormat) -> Result<SampleEntry, ConvertError> {
    let side = |pixels: usize| u16::try_from(pixels).map_err(|_| ConvertError::Encoder(format!("too large: {pixels} pixels")));
    let &[_, profile, compatibility, level, ..] = video.sequence_parameters.as_slice() else {
        return Err(ConvertError::Encoder("the video has no parameter sets".into()));
    };
    Ok(SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width: side(format.width)?,
            height: side(format.height)?,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: decoder_configuration([profile, compatibility, level], video),
        unknown_boxes: vec![colour_box(format.matrix)],
    }))
}

fn decoder_configuration([profile, compatibility, level]: [u8; 3], video: &EncodedVideo) -> AvccBox {
    // The baseline, main and extended profiles imply 4:2:0 with 8 bits and may not state it here.
    let states_format = !matches!(profile, 66 | 77 | 88);
    AvccBox {
        avc_profile_indication: profile,
        profile_compatibility: compatibility,
        avc_level_indication: level,
        length_size_minus_one: Uint::new(3),
        sps_list: vec![video.sequence_parameters.clone()],
        pps_list: vec![video.picture_parameters.clone()],
        chroma_format: states_format.then_some(Uint::new(1)),
        bit_depth_luma_minus8: states_format.then_some(Uint::new(0)),
        bit_depth_chroma_minus8: states_format.then_some(Uint::new(0)),
        sps_ext_list: Vec::new(),
    }
}

/// The `colr` box, which the muxer does not support: the colour matrix, for players that do not read the video's own tags.
fn colour_box(matrix: Matrix) -> UnknownBox {
    let code: u16 = match matrix {
        Matrix::Bt601 => 6,
        Matrix::Bt709 => 1,
    };
    let limited_range = 0;
    let mut payload = b"nclx".to_vec();
    for _primaries_transfer_matrix in 0..3 {
        payload.extend_from_slice(&code.to_be_bytes());
    }
    payload.push(limited_range);
    UnknownBox { box_type: BoxType::Normal(*b"colr"), box_size: BoxSize::U32(8 + payload.len() as u32), payload }
}

fn failed(error: MuxError) -> ConvertError {
    ConvertError::Encoder(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::test_support::VideoFile;

    /// Three frames, which are never decoded.
    fn video() -> EncodedVideo {
        let mut video = EncodedVideo::default();
        let limits = Limits::default();
        video.push_frame([&[0x67, 66, 0xc0, 30][..], &[0x68, 2], &[0x65, 1, 2, 3]], &limits).unwrap();
        video.push_frame([&[0x41, 4][..]], &limits).unwrap();
        video.push_frame([&[0x65, 5, 6][..]], &limits).unwrap();
        video
    }

    fn format() -> VideoFormat {
        VideoFormat::for_canvas(31, 17)
    }

    #[test]
    fn samples_have_the_offsets_and_durations_of_their_frames() {
        let file = VideoFile::read(write(&video(), format(), &[2, 65_535, 7]).unwrap());
        assert_eq!(file.durations(), [2, 65_535, 7]);
        assert_eq!((file.track().timescale, file.track().duration), (100, 65_544));
        let samples = &file.track().samples;
        assert_eq!(samples.iter().map(|sample| sample.is_sync).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(file.bytes[samples[0].byte_range()], [0, 0, 0, 4, 0x65, 1, 2, 3]);
        assert_eq!(file.bytes[samples[1].byte_range()], [0, 0, 0, 2, 0x41, 4]);
        assert_eq!(file.bytes[samples[2].byte_range()], [0, 0, 0, 3, 0x65, 5, 6]);
    }

    #[test]
    fn moov_precedes_mdat() {
        let file = VideoFile::read(write(&video(), format(), &[1, 2, 3]).unwrap());
        let boxes: Vec<String> = file.boxes().into_iter().filter(|name| name != "free").collect();
        assert_eq!(boxes, ["ftyp", "moov", "mdat"]);
        let trak = file.track().trak(&file.mp4);
        assert!(trak.edts.is_none());
        assert_eq!((file.track().width, file.track().height), (32, 18));
    }

    #[test]
    fn colour_matrix_is_tagged() {
        let colour = |matrix| {
            let format = VideoFormat { matrix, ..format() };
            VideoFile::read(write(&video(), format, &[1, 2, 3]).unwrap()).colour().to_vec()
        };
        assert_eq!(colour(Matrix::Bt601), b"nclx\0\x06\0\x06\0\x06\0");
        assert_eq!(colour(Matrix::Bt709), b"nclx\0\x01\0\x01\0\x01\0");
    }

    #[test]
    fn missing_frame_is_an_error() {
        let error = write(&video(), format(), &[1, 2]).unwrap_err();
        assert_eq!(error.to_string(), "encoding failed: 2 frames went in, 3 came out");
    }
}
