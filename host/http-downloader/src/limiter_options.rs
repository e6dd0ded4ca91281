//! The limits of a [`ConcurrencyLimiter`](crate::concurrency_limiter::ConcurrencyLimiter), and its counts.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::limit_group::LimitGroup;

/// The limits of a [`ConcurrencyLimiter`](crate::concurrency_limiter::ConcurrencyLimiter).
#[derive(Clone, Copy, Debug)]
pub struct LimiterOptions {
    /// The maximum number of concurrent downloads. 64 by default.
    pub max_downloads: NonZeroUsize,
    /// The maximum number of concurrent downloads from one host, across all its ports. 8 by default.
    pub max_downloads_per_host: NonZeroUsize,
    /// The maximum number of concurrent downloads from the hosts of one registrable domain, according to the public suffix list. 16 by
    /// default.
    pub max_downloads_per_domain: NonZeroUsize,
    /// The maximum number of concurrent downloads over connections to one IPv4 address, or one IPv6 /64 network. 16 by default.
    pub max_downloads_per_address: NonZeroUsize,
    /// The maximum number of waiting downloads. At most half of this number may wait for the same host, domain or address. 1024 by default.
    pub max_queued_downloads: usize,
    /// The maximum time that a download waits. If it is redirected or connects to a busy address, the time starts again. 30 seconds by
    /// default.
    pub max_queue_time: Duration,
}

impl LimiterOptions {
    /// The number of permits for a group.
    pub(crate) fn limit(&self, group: &LimitGroup) -> NonZeroUsize {
        match group {
            LimitGroup::Host(_) => self.max_downloads_per_host,
            LimitGroup::Domain(_) => self.max_downloads_per_domain,
            LimitGroup::Address(_) => self.max_downloads_per_address,
        }
    }
}

impl Default for LimiterOptions {
    fn default() -> Self {
        const MAX_DOWNLOADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
        const MAX_DOWNLOADS_PER_HOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
        const MAX_DOWNLOADS_PER_DOMAIN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);
        const MAX_DOWNLOADS_PER_ADDRESS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);
        Self {
            max_downloads: MAX_DOWNLOADS,
            max_downloads_per_host: MAX_DOWNLOADS_PER_HOST,
            max_downloads_per_domain: MAX_DOWNLOADS_PER_DOMAIN,
            max_downloads_per_address: MAX_DOWNLOADS_PER_ADDRESS,
            max_queued_downloads: 1024,
            max_queue_time: Duration::from_secs(30),
        }
    }
}

/// The counts of a [`ConcurrencyLimiter`](crate::concurrency_limiter::ConcurrencyLimiter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterCounts {
    /// Downloads in progress.
    pub active: usize,
    /// Downloads that are waiting because of any limit.
    pub queued: usize,
    /// The number of queued downloads that are waiting for others from the same host.
    pub queued_for_host: usize,
    /// The number of queued downloads that are waiting for others from the same registrable domain.
    pub queued_for_domain: usize,
    /// The number of queued downloads that are waiting for others over connections to the same address.
    pub queued_for_address: usize,
    /// Downloads that have been refused since the start, because the queue was full or they had waited for too long.
    pub refused: u64,
}
