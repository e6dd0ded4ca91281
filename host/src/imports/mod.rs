//! What the host gives to a cache component: one module for each interface that it imports.

mod blobs;
mod directory;
mod downloader;
mod eviction;
mod transcoder;

pub use blobs::BlobHandle;
pub(crate) use directory::list_all_directories;
