//! What a cache component imports, one module for each interface.

mod blobs;
pub(crate) mod directory;
mod downloader;
mod eviction;
mod failures;
mod transcoder;
