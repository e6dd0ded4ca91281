//! The files of an entry: a body, and a sidecar that describes it.
//!
//! Both are named by the digest of the cache key: [`KeyDigest`] has the names, and [`FileKind`] recognises them. [`Sidecar`] reads and
//! writes the sidecar, and [`Metadata`] is its content except for the URL, the size and the digest of the body.
//!
//! The cache component writes these files. This crate does not depend on WebAssembly, so programs on the host can read and check a
//! directory without a component.

mod disk_size;
mod file_kind;
mod hex;
mod json_surrogates;
mod key_digest;
mod media_kind;
mod media_type;
mod metadata;
mod sidecar;

pub use disk_size::{BLOCK, disk_size};
pub use file_kind::{FileKind, OLD_INDEX, TEMPORARY};
pub use hex::{decode_hex, encode_hex};
pub use key_digest::{DigestHasher, DigestMap, KeyDigest};
pub use media_kind::MediaKind;
pub use media_type::{essence, is_media_type};
pub use metadata::{Cacheability, Metadata, is_validator, stored_cacheability};
pub use sidecar::{LARGEST_SIDECAR, Sidecar, milliseconds, seconds};
