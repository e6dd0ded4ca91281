//! The second tier of the media cache: an object store (S3, Google Cloud Storage, Azure or a directory) that several nodes share. A node
//! looks there before it asks an origin, and uploads what it has stored after a download.
//!
//! The objects of an entry are its two files, unchanged, so the store is itself the directory of a cache. Anything else is below
//! `.media-cache/`: leases, and lists of what each node has used.
//!
//! [`Tier`] is a connection to the store. [`TieredDownloader`] looks up media there before it calls another downloader, and
//! [`Tier::follow`] uploads what a cache has stored. Nothing here fails a request: if the store fails, is slow or has wrong bytes, the media
//! comes from the origin, and [`Tier::status`] says so.
//!
//! [`Inventory`] lists, checks and trims the entries in a store.

mod advice;
mod breaker;
mod changes;
mod counters;
mod directory;
mod downloader;
mod failure;
mod inventory;
mod lease;
mod location;
mod lookup;
mod names;
mod options;
mod probe;
mod removal;
mod shared;
mod spans;
mod status;
mod store;
mod store_clock;
mod tier;
mod trim;
mod uploads;
mod usage;
mod used;

pub use downloader::TieredDownloader;
pub use failure::StoreFailure;
pub use inventory::{Contents, Fault, Inventory, OldObject, ReadEntries, TierEntry};
pub use location::{Location, LocationError};
pub use options::{DEFAULT_TIMEOUT, TierOptions};
pub use status::{Direction, LeaseOutcome, LookupOutcome, Outage, TierStatus, UploadOutcome};
pub use tier::{Contact, Tier};
pub use trim::{TrimPlan, TrimSummary, Trimmed};
