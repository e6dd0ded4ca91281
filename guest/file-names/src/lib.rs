//! Safe file names for media from untrusted sources.
//!
//! Names come from untrusted headers, URLs, callers and files, and end up in file systems, archives and save dialogs. A clean name is a
//! single path segment without invisible characters, is valid on Windows, is not empty, and has at most 200 bytes.
//!
//! The cache component cleans the names of all media, and the HTTP downloader cleans those from headers and URLs. Both use this crate, so
//! they agree on which names are clean. It has no dependencies, since it is compiled into the component.

mod clean;
mod extension;
mod invisible;
mod type_extension;

pub use clean::{FALLBACK, clean_filename, clean_or_fallback};
pub use invisible::is_invisible;
pub use type_extension::{converted_name, match_extension};
