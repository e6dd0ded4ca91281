//! The media cache: all of its logic, as a component that needs nothing but the imports of the world `media-cache`.
//!
//! What it promises is documented in `wit/cache.wit`. The modules, from the bottom up:
//!
//! - [`key`], [`asked`], [`sidecar`], [`snapshot`], [`gif`]: names and formats;
//! - [`index`]: what is stored; [`ranking`]: what a policy is told and asked; [`memory`]: the tier in memory;
//! - [`flights`], [`failures`], [`failure_times`]: who waits for what, what went wrong just now, and for how long that counts;
//! - [`disk`], [`clock`]: the host's file system and clocks;
//! - `state`: what all of this makes together, and what changes both tiers at once;
//! - [`cache`], [`fetch`], [`store`], [`load`], [`report`]: the cache itself; `component` is what exports it.

/// What the WIT becomes in Rust.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "media-cache", generate_all });
}

pub mod asked;
pub mod brought;
pub mod cache;
pub mod clock;
#[cfg(target_family = "wasm")]
mod component;
pub mod disk;
pub mod failure_times;
pub mod failures;
pub mod fetch;
pub mod flights;
pub mod gif;
pub mod index;
pub mod key;
pub mod load;
pub mod memory;
pub mod ranking;
pub mod report;
pub mod settings;
pub mod sidecar;
pub mod snapshot;
mod state;
pub mod store;
