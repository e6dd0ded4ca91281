//! Safe file names for media from anywhere.
//!
//! Names come from headers, URLs, callers and files, so anybody may have written them, and they end up in file systems, archives and
//! save dialogues. A clean name is a single path component, displays as what it is, and is neither empty nor long.
//!
//! The cache component cleans names from every source, and the HTTP downloader cleans what it takes from headers and URLs. Both use
//! this crate, so they agree on what is clean.

mod clean;
mod extension;
mod usual_extension;

pub use clean::{FALLBACK, clean_filename, clean_or_fallback};
pub use extension::{has_extension, replace_extension, with_extension};
pub use usual_extension::usual_extension;
