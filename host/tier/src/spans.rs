//! Spans for operations on the store.

use media_cache::SPAN_TARGET;
use media_cache_entry_files::KeyDigest;
use tracing::Span;

/// Creates the span of an operation on an entry, which is a client of the store.
macro_rules! tier_span {
    ($name:literal, $digest:expr $(, $parent:ident: $none:expr)?) => {
        tracing::trace_span!(
            target: SPAN_TARGET,
            $($parent: $none,)?
            $name,
            otel.kind = "client",
            media_cache.key = fingerprint($digest),
            media_cache.outcome = tracing::field::Empty,
            media_cache.size = tracing::field::Empty,
        )
    };
}

/// The span of a lookup.
pub(crate) fn of_lookup(digest: KeyDigest) -> Span {
    tier_span!("tier get", digest)
}

/// The span of an upload, from the time when it begins to wait for its turn. It follows from the current span, and is not inside it, since
/// that would last as long as the upload.
pub(crate) fn of_upload(digest: KeyDigest) -> Span {
    let span = tier_span!("tier put", digest, parent: None);
    span.follows_from(Span::current());
    span
}

/// The span of a request for a lease.
pub(crate) fn of_lease(digest: KeyDigest) -> Span {
    tier_span!("tier lease", digest)
}

/// The span of a wait for another node.
pub(crate) fn of_wait(digest: KeyDigest) -> Span {
    tier_span!("tier wait", digest)
}

/// Records the outcome of the operation whose span is the current one.
pub(crate) fn record_outcome(name: &'static str) {
    Span::current().record("media_cache.outcome", name);
}

/// Records the size of the media that the operation transferred, in bytes.
pub(crate) fn record_size(bytes: u64) {
    Span::current().record("media_cache.size", bytes);
}

/// The first 16 digits of a digest, by which log lines and other spans identify the entry.
fn fingerprint(digest: KeyDigest) -> String {
    digest.to_string().chars().take(16).collect()
}
