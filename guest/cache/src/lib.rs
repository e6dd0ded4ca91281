//! The media cache: all of its logic, as a component that needs only the imports of the world `media-cache`.
//!
//! The WIT documents its guarantees. The modules, from the bottom up:
//!
//! - names and formats: [`lookup_key`], [`media_kind`], [`origin_metadata`], [`index_log`]; the names and formats of the two files of an
//!   entry are in the crate `media-cache-entry-files`;
//! - for tests: `mutants`;
//! - the stored entries, and which of them to keep: [`entry`], [`index`], [`policy`], [`eviction_tier`], [`memory_tier`];
//! - waiting and failures: [`single_flight`], [`pending_writes`], [`failure_memory`], [`failure_ttl`], [`disk_health`], [`write_permits`];
//! - the host: [`bindings`], [`clock`], [`disk`], [`sidecar_file`];
//! - the cache: [`settings`], `state`, `counters`, [`cache`], [`cached_media`], `arriving_media`, and one file for each call and each step:
//!   [`get`], `read_back`, [`put`], [`get_or_download`], [`refresh`], `download`, `fill`, `arriving`, [`transcode`], `store`, `budget`,
//!   `reservation`, `replace`, `disk_tier`, `delete_files`, `leftovers`, [`remove`], [`remove_matching`], [`record_hits`], `load`,
//!   `recovery`, `standby`, `on_standby`, [`listing`], [`checkpoint`], [`stats`], [`health`], [`verify`];
//! - `component`, which exports it.

mod arriving;
mod arriving_media;
pub mod bindings;
mod budget;
pub mod cache;
pub mod cached_media;
pub mod checkpoint;
pub mod clock;
#[cfg(target_family = "wasm")]
mod component;
pub mod counters;
mod delete_files;
pub mod disk;
pub mod disk_health;
mod disk_tier;
mod download;
pub mod entry;
pub mod entry_filter;
pub mod eviction_tier;
pub mod failure_memory;
pub mod failure_ttl;
mod fill;
pub mod get;
pub mod get_or_download;
pub mod health;
pub mod index;
pub mod index_log;
mod leftovers;
pub mod listing;
mod load;
mod loading;
pub mod lookup_key;
pub mod media_kind;
pub mod memory_tier;
mod mutants;
mod on_standby;
mod open_files;
pub mod origin_metadata;
pub mod pending_writes;
pub mod policy;
pub mod put;
mod read_back;
pub mod record_hits;
mod recovery;
pub mod refresh;
mod remains;
pub mod remove;
pub mod remove_matching;
mod replace;
mod reservation;
pub mod settings;
pub mod sidecar_file;
pub mod single_flight;
mod standby;
mod state;
pub mod stats;
mod store;
pub mod transcode;
mod try_again;
pub mod verify;
pub mod write_permits;
