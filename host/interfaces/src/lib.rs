//! Interfaces between the media cache and its host: bytes ([`Blob`]), downloads ([`Downloader`]) and transcoding ([`Transcoder`]).
//!
//! A body can be read while it arrives: [`SpooledBody::into_arriving`] returns the [`Blob`] for its readers and the [`ArrivingBody`] for
//! its writer.
//!
//! The cache uses these interfaces; downloaders and transcoders implement them. Neither side depends on the other.

mod arrival;
mod blob;
mod custom_failure;
mod downloader;
mod failure;
mod fetched_media;
mod file_stamp;
mod free_space_floor;
mod received;
mod source;
mod spans;
mod spool;
mod spooled_body;
mod transcoder;

pub use blob::{Blob, Completion, WeakBlob};
pub use custom_failure::CustomFailure;
pub use downloader::{Downloader, NoDownloader};
pub use failure::{FailureKind, FetchError, UnknownFailureKind};
pub use fetched_media::{CacheControl, Cacheability, Fetched, FetchedMedia, Validators};
pub use free_space_floor::FreeSpaceFloor;
pub use source::Sha256Digest;
pub use spans::SPAN_TARGET;
pub use spool::{Spool, SpoolError};
pub use spooled_body::{Abandoned, ArrivingBody, SpooledBody};
pub use transcoder::{Conversion, NoTranscoder, Original, TranscodeError, Transcoded, Transcoder};
