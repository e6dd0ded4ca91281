//! Maintenance of the directory of a media cache. It works natively on the files, without a component or an index.
//!
//! [`EntryDirectory`] is an existing directory. Reading ([`EntryDirectory::entry`], [`verify`], [`Exporter`]) creates and changes nothing,
//! and is allowed while a service uses the directory. Writing ([`EntryDirectory::remove`], [`EntryDirectory::remove_matching`], a
//! [`verify`] that repairs, [`DirectoryImport`]) requires that the caller holds the lock of the directory.

mod archive;
mod body;
mod check;
mod damage;
mod directory;
mod directory_import;
mod export;
mod import;
mod rate_limiter;
mod remove;
mod repair;
#[cfg(test)]
mod test_directory;
mod verify;

pub use archive::ArchiveError;
pub use check::StoredEntry;
pub use damage::Damage;
pub use directory::{DirectoryError, EntryDirectory};
pub use directory_import::DirectoryImport;
pub use export::{ExportError, ExportEvent, ExportSummary, Exporter};
pub use import::{
    Destination, ImportError, ImportEvent, ImportSummary, Incoming, IncomingBody, Limits, Presence, StoreFailure, import,
};
pub use media_cache_key_rules::{EntryFilter, InvalidHost};
pub use remove::{RemovalSummary, RemoveError};
pub use verify::{Finding, Observer, Outcome, Summary, VerifyOptions, verify};
