//! Downloads media over HTTP from untrusted origins.
//!
//! An [`HttpDownloader`] checks every URL and every address before it connects, limits a response in size and time, and returns media or an
//! error. The body of the media may still be arriving; a failure then ends it early. Several downloaders can share a
//! [`ConcurrencyLimiter`], and [`Retry`] wraps a downloader and retries transient failures.
//!
//! A request passes through one module per stage: `target` checks the URL (`access_rules`, `host_pattern`, `special_addresses`),
//! `concurrency_limiter` queues the request, `transport` sends it, `connector` connects to an address that `resolver` found or reuses one
//! of the `origin_connections`, `response` checks status and headers, `cache_directives` reads the caching directives, `body` receives the
//! body, `delivery` returns it as soon as `type_decision` allows, and `media_type` (with `signatures`) and `file_name` describe the result.
//! Requests for Matrix media (`mxc`) go through `matrix_client` to a `homeserver`.
//!
//! # Features
//!
//! - `fuzzing`: internals for property tests and fuzz targets, not covered by the API's guarantees.

mod accepted_types;
mod access_rules;
mod address_block;
mod address_claim;
mod audio_frames;
mod body;
mod byte_counter;
mod cache_directives;
mod concurrency_limiter;
mod connection_attempt;
mod connector;
mod container_heads;
mod delivery;
mod encoded_text;
mod error_cause;
mod file_name;
mod framing;
mod framing_rules;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod header_parameters;
mod homeserver;
mod host_pattern;
mod http_downloader;
mod idle_list;
mod kept_addresses;
mod limit_group;
mod limiter_options;
mod lottie;
mod markup;
mod matrix_client;
mod media_type;
mod min_rate;
mod mxc;
mod options;
mod origin_connections;
mod origin_header;
mod origin_stream;
mod registered_types;
mod requested_url;
mod resolver;
mod response;
mod retry;
mod runtime_clients;
mod setup_error;
mod signatures;
mod spans;
mod special_addresses;
mod target;
#[cfg(test)]
mod tests;
mod time_limit;
mod transport;
mod type_decision;
mod unused_body;
mod wait_queue;

pub use accepted_types::{InvalidTypePattern, TypePattern, accepts};
pub use access_rules::{AccessRules, Denied};
pub use concurrency_limiter::ConcurrencyLimiter;
pub use file_name::filename_for;
pub use framing_rules::{BodyFraming, BodySender, FramingError, check_framing};
pub use homeserver::{Homeserver, HomeserverUrl, InvalidHomeserverUrl, InvalidToken};
pub use host_pattern::{HostPattern, InvalidHostPattern};
pub use http_downloader::HttpDownloader;
pub use limiter_options::{LimiterCounts, LimiterOptions};
pub use media_cache_file_names::{clean_filename, match_extension};
pub use media_type::{SNIFFED_BYTES, media_type};
pub use options::{HttpOptions, OriginCacheControl, Progress, ReuseOriginConnections};
pub use origin_connections::{OriginConnectionCounts, OriginConnections};
pub use origin_header::{InvalidOriginHeader, OriginHeader};
pub use registered_types::registered_type;
pub use requested_url::check_url;
pub use resolver::{Resolve, SystemResolver};
pub use retry::{Retry, RetryOptions};
pub use setup_error::HttpSetupError;
pub use special_addresses::{SpecialUse, special_use};
