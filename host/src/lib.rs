//! A disk-backed, two-tier cache for downloaded media, so that the same URL is never fetched twice.
//!
//! The cache's logic is a WebAssembly component and its eviction policy another; this library gives them what they need (a
//! directory, downloads, transcoding) and gives programs a plain interface to them: [`MediaCache`].

mod bindings;
pub mod blob;
mod builder;
mod cache;
pub mod conformance;
pub mod download;
mod driver;
mod engine;
mod held;
mod imports;
mod lock;
pub mod logs;
mod media;
pub mod metrics;
pub mod policy;
pub mod service;
pub mod simulate;
mod spool;
mod state;
pub mod transcode;

pub use blob::Blob;
pub use builder::{Builder, OpenError, PreparedCache};
pub use cache::{CacheError, MediaCache, describe};
pub use engine::{CacheComponent, ComponentError, Engine, embedded};
pub use lock::LockError;
pub use media::{Listed, LoadReport, Media, Page, PutOutcome, Source, Stats, Status, StoreError};
pub use media_cache_key_rules::{KeyRules, PRESETS as KEY_PRESETS, ParameterRule, Preset as KeyPreset, RuleError as KeyRuleError};
pub use policy::{PolicyChoice, PolicyComponent, PolicyLimits, PolicySpec, PolicyStatus, SwapError};
pub use state::Clock;

/// The programs in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
