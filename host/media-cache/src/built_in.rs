//! The downloader and transcoder that a cache uses by default.

use std::sync::Arc;

use media_cache_interfaces::{Downloader, Spool, Transcoder};

use crate::open_error::OpenError;

/// The HTTP downloader with its default options. It returns media of `whole_types` only once the whole body has arrived.
#[cfg(feature = "http")]
pub(crate) fn downloader(spool: &Arc<Spool>, whole_types: Vec<String>) -> Result<Arc<dyn Downloader>, OpenError> {
    use media_cache_http_downloader::{HttpDownloader, HttpOptions};
    Ok(Arc::new(HttpDownloader::new(HttpOptions { spool: spool.clone(), whole_types, ..HttpOptions::default() })?))
}

/// Without the feature `http`, nothing is downloaded.
#[cfg(not(feature = "http"))]
pub(crate) fn downloader(_: &Arc<Spool>, _: Vec<String>) -> Result<Arc<dyn Downloader>, OpenError> {
    Ok(Arc::new(media_cache_interfaces::NoDownloader))
}

/// The embedded converter with its default limits.
#[cfg(feature = "gif")]
pub(crate) fn transcoder() -> Arc<dyn Transcoder> {
    Arc::new(crate::gif::GifTranscoder::embedded())
}

/// Without the feature `gif`, GIFs are stored unchanged.
#[cfg(not(feature = "gif"))]
pub(crate) fn transcoder() -> Arc<dyn Transcoder> {
    Arc::new(media_cache_interfaces::NoTranscoder)
}
