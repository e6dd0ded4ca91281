//! Recognises raw audio by its frames: MPEG audio (MP3) and AAC in ADTS. Neither begins with a file header.

/// How many frames were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frames {
    /// One: the next frame would start beyond the available bytes.
    One,
    /// At least two consecutive frames that agree.
    Several,
}

/// The bit rates of MPEG audio in kbit/s, for MPEG-1 layer III, MPEG-1 layer II, and MPEG-2 (both layers).
const BIT_RATES: [[usize; 15]; 3] = [
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// The sampling rates of MPEG-1 in Hz. Those of MPEG-2 are half as high, and those of MPEG-2.5 a quarter.
const SAMPLING_RATES: [usize; 3] = [44_100, 48_000, 32_000];

/// Frames of MPEG audio, layer II or III.
pub(crate) fn mpeg_audio_frames(start: &[u8]) -> Option<Frames> {
    frames(start, mpeg_audio_frame_length, |first, next| first[1] & 0xfe == next[1] & 0xfe && first[2] & 0x0c == next[2] & 0x0c)
}

/// Frames of AAC in ADTS.
pub(crate) fn adts_frames(start: &[u8]) -> Option<Frames> {
    frames(start, adts_frame_length, |first, next| first[1] == next[1] && first[2] == next[2])
}

/// Counts the frames at the start. The first two must agree.
fn frames(start: &[u8], length: fn(&[u8; 6]) -> Option<usize>, agree: fn(&[u8; 6], &[u8; 6]) -> bool) -> Option<Frames> {
    let first = start.first_chunk()?;
    let after_first = start.get(length(first)?..).unwrap_or_default();
    match after_first.first_chunk() {
        None => Some(Frames::One),
        Some(next) => (length(next).is_some() && agree(first, next)).then_some(Frames::Several),
    }
}

fn mpeg_audio_frame_length(header: &[u8; 6]) -> Option<usize> {
    let [sync, layer_byte, rates, ..] = *header;
    let (version, layer) = ((layer_byte >> 3) & 3, (layer_byte >> 1) & 3);
    // Layer I is not used in practice, and a byte order mark (FF FE) looks like it.
    if sync != 0xff || layer_byte < 0xe0 || version == 1 || !matches!(layer, 1 | 2) {
        return None;
    }
    let is_mpeg_1 = version == 3;
    let table = match (is_mpeg_1, layer) {
        (true, 1) => 0,
        (true, _) => 1,
        (false, _) => 2,
    };
    let bit_rate = BIT_RATES[table].get(usize::from(rates >> 4)).filter(|rate| **rate > 0)?;
    let divisor = [4, 1, 2, 1][usize::from(version)];
    let sampling_rate = SAMPLING_RATES.get(usize::from((rates >> 2) & 3))? / divisor;
    let samples_in_bytes = if is_mpeg_1 || layer == 2 { 144 } else { 72 };
    Some(samples_in_bytes * bit_rate * 1000 / sampling_rate + usize::from((rates >> 1) & 1))
}

fn adts_frame_length(header: &[u8; 6]) -> Option<usize> {
    let [sync, version, rate, a, b, c] = *header;
    let length = usize::from(a & 3) << 11 | usize::from(b) << 3 | usize::from(c >> 5);
    (sync == 0xff && version & 0xf6 == 0xf0 && (rate >> 2) & 0xf < 13 && length > 7).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two frames of this length, each with this header.
    fn repeated(header: &[u8], length: usize) -> Vec<u8> {
        let mut frame = header.to_vec();
        frame.resize(length, 0);
        frame.repeat(2)
    }

    #[test]
    fn mp3_is_recognised_by_two_frames_that_agree() {
        // MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes, or 418 with padding. MPEG-2 layer III, 64 kbit/s, 24 kHz: 192 bytes.
        for (header, length) in [(&b"\xff\xfb\x90\0\0\0"[..], 417), (b"\xff\xfb\x92\0\0\0", 418), (b"\xff\xf3\x84\0\0\0", 192)] {
            let file = repeated(header, length);
            assert_eq!(mpeg_audio_frames(&file), Some(Frames::Several), "{header:?}");
            assert_eq!(mpeg_audio_frames(&file[..length]), Some(Frames::One), "{header:?}");
            assert_eq!(mpeg_audio_frames(&file[..3]), None);
            let mut wrong = file;
            wrong[length] = 0;
            assert_eq!(mpeg_audio_frames(&wrong), None, "{header:?}");
        }
    }

    #[test]
    fn adts_is_recognised_by_two_frames_that_agree() {
        // 44.1 kHz, stereo, 32 bytes.
        let file = repeated(b"\xff\xf1\x50\x80\x04\x1f\xfc", 32);
        assert_eq!(adts_frames(&file), Some(Frames::Several));
        assert_eq!(mpeg_audio_frames(&file), None);
    }

    #[test]
    fn text_and_invalid_headers_have_no_frames() {
        for start in
            [&b"\xff\xfeH\0i\0!\0"[..], b"\xff\xff\xff\xff\xff\xff", b"\xff\xfb\xf0\0\0\0", b"\xff\xfb\x9c\0\0\0", b"ID3\x03\0\0"]
        {
            assert_eq!((mpeg_audio_frames(start), adts_frames(start)), (None, None), "{start:?}");
        }
    }
}
