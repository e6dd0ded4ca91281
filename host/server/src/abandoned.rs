//! Which downloads count as abandoned rather than failed, in the log and in the metrics.

use media_cache::FetchError;
use media_cache_http_downloader::ConcurrencyLimiter;

/// Whether a download with this failure was ended although nothing had failed. `limiter` is closed once the service ends all downloads; `None`
/// if downloads have no limiter.
pub(crate) fn is_abandoned(failure: &FetchError, limiter: Option<&ConcurrencyLimiter>) -> bool {
    limiter.map_or(failure.is_abandoned(), |limiter| limiter.has_abandoned(failure))
}
