//! The interface of all converters.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::convert_error::ConvertError;

/// Converts GIFs to MP4 videos.
pub trait Converter: Send + Sync + 'static {
    /// Converts a whole GIF to a whole MP4 file: one H.264 track without sound, `moov` before `mdat`.
    ///
    /// Dropping the future abandons the work.
    ///
    /// # Errors
    /// See [`ConvertError`].
    fn convert(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, ConvertError>>;

    /// The largest GIF, in bytes, that this converter reads.
    fn max_input_bytes(&self) -> u64;
}
