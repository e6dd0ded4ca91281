//! Internals that property tests and fuzz targets call directly. Not part of the API: anything here may change at any time.

pub use crate::encoded_text::decode_plain;
pub use crate::framing::{ChunkedBody, ResponseHead};
pub use crate::header_parameters::parameter;
pub use crate::response::retry_after_seconds;
