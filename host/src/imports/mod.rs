//! What the host gives to a cache component: one module for each interface that it imports.

mod blobs;
mod downloader;
mod eviction;
mod transcoder;

pub use blobs::BlobHandle;
