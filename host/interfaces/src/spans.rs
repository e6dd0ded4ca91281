//! What the spans of all crates have in common.

/// The target of the spans that the crates of the cache create with [`tracing`](https://docs.rs/tracing), all at level `TRACE`: one for
/// each lookup, request to an origin and conversion. They contain hosts, sizes and outcomes, but no other parts of URLs.
pub const SPAN_TARGET: &str = "media_cache::spans";
