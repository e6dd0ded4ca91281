//! Videos, and an independent reader for those that the cache returns.

use media_cache_gif_to_mp4::{ConvertGifs, Converted, Converter, EmbeddedConverter};
use re_mp4::Mp4;

use crate::images::{GIF_SIZE, gif};

/// A video.
///
/// # Panics
/// If it cannot be created.
pub async fn mp4() -> Vec<u8> {
    match EmbeddedConverter::default().convert(gif(&[10, 20, 30]).into(), ConvertGifs::Always).await {
        Ok(Converted::Video(video)) => video,
        other => panic!("{other:?}"),
    }
}

/// How long each frame of a converted [`gif()`] is shown, in hundredths of a second.
///
/// # Panics
/// If this is not a video with one track that has the size of the GIF.
#[must_use]
pub fn frame_times(video: &[u8]) -> Vec<u64> {
    let video = Mp4::read_bytes(video).unwrap();
    let tracks: Vec<_> = video.tracks().values().collect();
    assert_eq!(tracks.len(), 1);
    assert_eq!((tracks[0].width, tracks[0].height), GIF_SIZE);
    tracks[0].samples.iter().map(|sample| sample.duration * 100 / sample.timescale).collect()
}
