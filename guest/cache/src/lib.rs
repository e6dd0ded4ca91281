//! The media cache: all of its logic, as a component that needs nothing but the imports of the world `media-cache`.
//!
//! What it promises is documented in `wit/cache.wit`. The modules, from the bottom up:
//!
//! - [`digest`], [`lookup_key`], [`sidecar`], [`snapshot`], [`transcode`]: names and formats;
//! - [`index`]: what is stored; [`eviction_tier`]: what a policy is told and asked; [`memory_tier`]: the tier in memory;
//! - [`single_flight`], [`failure_memory`], [`failure_ttl`]: who waits for what, what went wrong just now, and for how long that counts;
//! - [`disk`], [`clock`]: the host's file system and clocks;
//! - `state`: what all of this makes together, and what changes both tiers at once;
//! - [`cache`], [`fetch`], [`store`], [`startup_scan`], [`report`]: the cache itself; `component` is what exports it.

pub mod bindings;
pub mod cache;
pub mod clock;
#[cfg(target_family = "wasm")]
mod component;
pub mod digest;
pub mod disk;
pub mod eviction_tier;
pub mod failure_memory;
pub mod failure_ttl;
pub mod fetch;
pub mod fetched_media;
pub mod index;
pub mod lookup_key;
pub mod memory_tier;
pub mod report;
pub mod settings;
pub mod sidecar;
pub mod single_flight;
pub mod snapshot;
pub mod startup_scan;
mod state;
pub mod store;
pub mod transcode;
