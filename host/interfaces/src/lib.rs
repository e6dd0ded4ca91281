//! Interfaces between the media cache and its host: bytes ([`Blob`]), downloads ([`Downloader`]) and transcoding ([`Transcoder`]).
//!
//! The cache uses these interfaces; downloaders and transcoders implement them. Neither side depends on the other.

mod blob;
mod downloader;
mod failure;
mod fetched_media;
mod file_stamp;
mod free_space_floor;
mod spool;
mod spooled_body;
mod transcoder;

pub use blob::{Blob, Sha256Digest, WeakBlob};
pub use downloader::{Downloader, NoDownloader};
pub use failure::{FailureKind, FetchError, UnknownFailureKind};
pub use fetched_media::{CacheControl, Cacheability, Fetched, FetchedMedia, Validators};
pub use free_space_floor::FreeSpaceFloor;
pub use spool::{Spool, SpoolError};
pub use spooled_body::SpooledBody;
pub use transcoder::{Conversion, NoTranscoder, Original, TranscodeError, Transcoded, Transcoder};
