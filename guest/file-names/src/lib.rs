//! Safe file names for media from anywhere.
//!
//! Names come from untrusted headers, URLs, callers and files, and end up in file systems, archives and save dialogs. A clean name is a
//! single path segment, has no invisible characters, and is neither empty nor long.
//!
//! The cache component cleans the names of all media, and the HTTP downloader those from headers and URLs. Both use this crate, so
//! they agree on what is clean. It has no dependencies, since it is compiled into the component.

mod clean;
mod extension;
mod usual_extension;

pub use clean::{FALLBACK, clean_filename, clean_or_fallback};
pub use extension::{has_extension, replace_extension, with_extension};
pub use usual_extension::usual_extension;
