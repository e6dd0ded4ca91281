//! The media cache as an HTTP service.
//!
//! A [`Service`] answers requests from a cache that may still be loading. [`Service::routes`] creates the routes of a listener, and
//! [`serve_connections`] serves them, with limits on slow clients and on the number of clients. [`metrics`] and [`logs`] also contain
//! decorators for the downloader and the transcoder of the cache.

mod abandoned;
mod access;
mod admin_tokens;
mod cache_counters;
mod caching;
mod connections;
mod content_disposition;
mod cors;
mod csrf;
mod dashboard;
mod fetch_destination;
mod handlers;
mod health_document;
mod hit_lane;
mod key_digest;
pub mod logs;
mod media_query;
mod media_response;
pub mod metrics;
mod observe;
mod policy_check;
mod presentation;
mod problem;
mod request_id;
mod request_rules;
mod request_trace;
mod router;
mod routes;
mod second_tier;
mod security_headers;
mod sent_media;
mod service;
mod shadow_report;
mod shared_access;
mod span_counts;
mod timestamp;
mod uploads;
mod version;

pub use access::{Access, Listener};
pub use admin_tokens::AdminTokens;
pub use connections::{
    Certificate, ClientLimits, ConnectionStats, Connections, Ending, MAX_REFUSALS, Routes, SharedTls, serve_connections,
};
pub use cors::{AllowedOrigin, AllowedOrigins, InvalidOrigin};
pub use handlers::{
    BUILT_IN, MAX_COMPONENT_BYTES, MAX_POLICY_BYTES, entry_document, policies_document, policy_document, refreshed_document,
    stats_document, stored_document,
};
pub use media_cache_requests::{CamoKeys, Pseudonym, PseudonymError, SigningKeys, WeakSecret};
pub use media_cache_trace::TraceRecorder;
pub use policy_check::{CheckOutcome, CheckResult, PolicyCheck};
pub use request_trace::{RequestTracer, TraceParent, TracedRequest};
pub use second_tier::{SecondTier, TierOutage, TierReport};
pub use service::{Extras, Service};
pub use shadow_report::ShadowReport;
pub use shared_access::SharedAccess;
pub use span_counts::{SpanCounts, SpanReport};
