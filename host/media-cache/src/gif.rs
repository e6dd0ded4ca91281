//! Converts GIFs to MP4: the converters of `media-cache-gif-to-mp4` as a [`Transcoder`].

use std::path::PathBuf;

use futures::future::BoxFuture;
pub use media_cache_gif_to_mp4 as converters;
use media_cache_gif_to_mp4::{ConvertError, Converted, Converter, EmbeddedConverter, FfmpegConverter};
pub use media_cache_gif_to_mp4::{ConvertGifs, Limits};
use media_cache_interfaces::{Blob, Conversion, Original, TranscodeError, Transcoded, Transcoder};

/// A transcoder that converts GIFs to MP4.
#[derive(Debug)]
pub struct GifTranscoder<C> {
    converter: C,
    which: ConvertGifs,
}

impl<C: Converter> GifTranscoder<C> {
    /// A transcoder that converts all GIFs with this converter, within its limits.
    #[must_use]
    pub fn new(converter: C) -> Self {
        Self { converter, which: ConvertGifs::Always }
    }

    /// Restricts conversion to these GIFs. Other GIFs are stored unchanged.
    #[must_use]
    pub fn only(self, which: ConvertGifs) -> Self {
        Self { which, ..self }
    }

    async fn convert(&self, gif: Blob) -> Result<Converted, TranscodeError> {
        let failed = |error: ConvertError| TranscodeError { name: error.name(), message: error.to_string() };
        let (bytes, limit) = (gif.len(), self.converter.max_input_bytes());
        if bytes > limit {
            return Err(failed(ConvertError::InputTooLarge { bytes, limit }));
        }
        let unreadable = |error| TranscodeError { name: "unreadable", message: format!("the GIF cannot be read: {error}") };
        let gif = gif.bytes().await.map_err(unreadable)?;
        self.converter.convert(gif, self.which).await.map_err(failed)
    }
}

impl GifTranscoder<EmbeddedConverter> {
    /// A transcoder with the built-in decoder and encoder, and default limits. Nothing has to be installed.
    #[must_use]
    pub fn embedded() -> Self {
        Self::new(EmbeddedConverter::default())
    }
}

impl GifTranscoder<FfmpegConverter> {
    /// A transcoder that runs an installed `ffmpeg` for each GIF, with default limits.
    #[must_use]
    pub fn ffmpeg(program: PathBuf) -> Self {
        Self::new(FfmpegConverter::new(program, Limits::default()))
    }
}

impl<C: Converter> Transcoder for GifTranscoder<C> {
    /// Empty if no GIF is converted, so that the cache does not read GIFs for conversion.
    fn accepted_types(&self) -> Vec<String> {
        match self.which {
            ConvertGifs::Never => Vec::new(),
            ConvertGifs::Always | ConvertGifs::Animated | ConvertGifs::Smaller => {
                converters::ACCEPTED_TYPES.iter().copied().map(String::from).collect()
            }
        }
    }

    fn transcode<'a>(&'a self, original: Original<'a>) -> BoxFuture<'a, Result<Transcoded, TranscodeError>> {
        Box::pin(async move {
            Ok(match self.convert(original.body).await? {
                Converted::Video(video) => Transcoded::Converted(Conversion {
                    body: Blob::from(video),
                    mimetype: "video/mp4".into(),
                    extension: "mp4".into(),
                }),
                Converted::Keep => Transcoded::Keep,
            })
        })
    }
}
