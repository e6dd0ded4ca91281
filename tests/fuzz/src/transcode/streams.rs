//! Streams from encoders, and the files made from them.

use media_cache_gif_to_mp4::fuzzing::{EncodedVideo, VideoFormat, nal_units, write_mp4};

use super::LIMITS;

/// The input is a stream.
pub fn annex_b(data: &[u8]) {
    let found: Vec<&[u8]> = nal_units(data).collect();
    for unit in &found {
        assert!(!unit.windows(3).any(|window| window == [0, 0, 1]), "there is no start code within a unit");
        assert_ne!(unit.last(), Some(&0), "a unit does not end with a zero byte");
    }
    let again: Vec<u8> = found.iter().flat_map(|unit| [&[0, 0, 1], *unit].concat()).collect();
    assert_eq!(nal_units(&again).collect::<Vec<_>>(), found, "written with short start codes");
    let Ok(video) = EncodedVideo::from_annex_b(data, &LIMITS) else { return };
    assert!(video.payload.len() <= LIMITS.output_bytes);
    check_frames(&video);
    let delays: Vec<u32> = (2..).take(video.frames.len()).collect();
    let file = write_mp4(&video, VideoFormat::for_canvas(20, 30), &delays);
    // An empty stream does not result in a file.
    let Ok(file) = file else { return assert!(video.frames.is_empty()) };
    check_file(&file, &video);
}

/// Checks that each frame consists of slices preceded by their lengths, and nothing else.
fn check_frames(video: &EncodedVideo) {
    let mut payload = &video.payload[..];
    for frame in &video.frames {
        let mut slices = payload.split_off(..frame.size).unwrap_or_default();
        assert_eq!(slices.len(), frame.size);
        let mut keyframe = false;
        while let Some(length) = slices.split_off(..4) {
            let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            let Some([header, ..]) = slices.split_off(..length) else { unreachable!("no slice of {length} bytes") };
            assert!((1..=5).contains(&(header & 0x1f)), "{header}");
            keyframe |= header & 0x1f == 5;
        }
        assert_eq!((slices, keyframe), (&[][..], frame.keyframe));
    }
    assert!(payload.is_empty());
    assert!(video.frames.first().is_none_or(|first| first.keyframe));
}

/// Checks that a file consists of boxes, with the index before the media.
fn check_file(file: &[u8], video: &EncodedVideo) {
    let mut names = Vec::new();
    let mut rest = file;
    while let Some(header) = rest.get(..16) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        let size = match number(&header[..4]) {
            1 => number(&header[8..]),
            size => size,
        };
        names.push(&header[4..8]);
        let whole = rest.split_off(..size).unwrap_or_default();
        assert_eq!(whole.len(), size, "no box extends beyond the end of the file");
        if names.ends_with(&[b"mdat"]) {
            assert!(whole.ends_with(&video.payload));
        }
        names.retain(|name| *name != b"free");
    }
    assert_eq!(names, [b"ftyp", b"moov", b"mdat"]);
}
