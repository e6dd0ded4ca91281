//! Internals that property tests and fuzz targets call directly. Not part of the API: anything here may change at any time.

pub use crate::header_parameters::parameter;
pub use crate::media_type::SNIFFED_BYTES;
