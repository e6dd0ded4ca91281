//! GIFs become MP4 videos: the converters of `media-cache-gif-to-mp4` as a [`Transcoder`].

use bytes::Bytes;
use futures::future::BoxFuture;
pub use media_cache_gif_to_mp4 as converters;
use media_cache_gif_to_mp4::{Converter, EmbeddedConverter, FfmpegConverter, Limits};
use media_cache_interfaces::{Blob, Conversion, TranscodeError, Transcoded, Transcoder};

/// A transcoder that converts GIFs to MP4.
#[derive(Debug)]
pub struct GifTranscoder<C>(C);

impl<C: Converter> GifTranscoder<C> {
    /// With this converter, and so with its limits.
    #[must_use]
    pub fn new(converter: C) -> Self {
        Self(converter)
    }
}

impl GifTranscoder<EmbeddedConverter> {
    /// With the built-in decoder and encoder, which need nothing installed, and default limits.
    #[must_use]
    pub fn embedded() -> Self {
        Self(EmbeddedConverter::default())
    }
}

impl GifTranscoder<FfmpegConverter> {
    /// With an installed `ffmpeg`, which is started for each GIF, and default limits.
    #[must_use]
    pub fn ffmpeg(program: std::path::PathBuf) -> Self {
        Self(FfmpegConverter::new(program, Limits::default()))
    }
}

impl<C: Converter> Transcoder for GifTranscoder<C> {
    fn accepted_types(&self) -> Vec<String> {
        converters::ACCEPTED_TYPES.iter().copied().map(String::from).collect()
    }

    fn transcode<'a>(&'a self, body: Bytes, _mimetype: &'a str) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        Box::pin(async move {
            let converted = self.0.convert(body).await;
            let video = converted.map_err(|error| TranscodeError { name: error.name(), message: error.to_string() })?;
            Ok(Transcoded::Converted(Conversion { body: Blob::from(video), mimetype: "video/mp4".into(), extension: "mp4".into() }))
        })
    }

    fn max_input_bytes(&self) -> u64 {
        self.0.max_input_bytes()
    }
}
