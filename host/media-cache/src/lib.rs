//! A disk-backed, two-tier cache for downloaded media. It downloads a URL once and serves it from disk and memory from then on.
//!
//! The logic of the cache is a WebAssembly component, and its eviction policy is another. This library supplies their imports (a directory,
//! downloads, transcoding) and offers an asynchronous interface: [`MediaCache`], opened with a [`Builder`].
//!
//! # Features
//!
//! - `http` (default): the built-in downloader, [`http`], used unless the builder is given another one.
//! - `gif` (default): the built-in transcoder, [`gif`], used unless the builder is given another one. Needs a C++ compiler.
//! - `fault-injection`: lets tests make file operations fail.

#![deny(unsafe_code)]

mod availability;
mod backoff;
mod bindings;
mod blob_handle;
mod builder;
mod built_in;
mod cache;
mod cache_engine;
mod cache_health;
mod call_downloaders;
mod checkpoints;
mod compiled_code;
mod compiled_components;
pub mod component;
mod component_error;
mod component_log;
mod contract_version;
mod copies;
mod counters;
pub mod defaults;
mod descriptors;
mod directory_lock;
mod directory_watch;
mod disk_usage;
mod driver;
mod driver_slices;
mod engine;
mod fetching;
mod file_faults;
mod file_time;
#[cfg(feature = "gif")]
pub mod gif;
mod health;
mod histogram;
mod hit_buffer;
mod host_state;
mod imports;
mod inbox;
mod instance;
mod integrity;
mod integrity_check;
mod late_hits;
mod listing;
mod load_task;
mod loading;
mod lookup_spans;
mod media;
mod offers;
mod open_error;
mod options;
mod pass_through;
pub mod policy;
mod prepared;
mod private_files;
mod replacement;
mod request;
mod request_task;
mod resident_hit;
mod resident_index;
mod retired;
mod serving;
mod sidecar_version;
mod slow_operations;
mod small_file;
mod succession;
mod supervision;
mod transfer;
mod watchdog;

pub use availability::Outage;
pub use builder::Builder;
pub use cache::{CacheError, MediaCache, describe};
pub use component::{CacheComponent, ComponentDescription, ComponentOrigin, ComponentStatus, ComponentSwapError};
pub use component_error::ComponentError;
pub use copies::Copies;
pub use descriptors::{ListedDescriptor, open_descriptors};
pub use directory_lock::{DirectoryLock, LockError};
pub use disk_usage::spool_in;
pub use driver_slices::SlicesSnapshot;
pub use engine::Engine;
#[cfg(feature = "fault-injection")]
pub use file_faults::{FileFaults, FileOperation};
pub use histogram::{Histogram, HistogramSnapshot};
pub use host_state::Clock;
pub use integrity::IntegrityReport;
pub use media::{
    Attachment, Degradation, Durability, EntryFilter, Health, Listed, LoadReport, Media, MediaInfo, Page, PutOutcome,
    RefreshOutcome, Source, Stats, Status, StoreError, Verified,
};
pub use media_cache_components as embedded;
#[cfg(feature = "http")]
pub use media_cache_http_downloader as http;
pub use media_cache_interfaces::{
    Abandoned, ArrivingBody, Blob, CacheControl, Cacheability, Completion, Conversion, CustomFailure, Downloader, FailureKind,
    FetchError, Fetched, FetchedMedia, FreeSpaceFloor, NoDownloader, NoTranscoder, Original, SPAN_TARGET, Spool, SpoolError,
    SpooledBody, TranscodeError, Transcoded, Transcoder, UnknownFailureKind, Validators,
};
pub use media_cache_key_rules::{
    KeyRules, PRESETS as KEY_PRESETS, ParameterRule, Preset as KeyPreset, RuleError as KeyRuleError, check_url,
};
pub use open_error::OpenError;
pub use policy::{PolicyChoice, PolicyComponent, PolicyLimits, PolicySpec, PolicyStatus, SwapError};
pub use prepared::PreparedCache;
pub use private_files::OWN_DIRECTORY;
pub use resident_hit::ResidentHit;
pub use small_file::{Pipes, read_small_file};

/// Checks that the programs in the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
