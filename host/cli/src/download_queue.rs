//! The limits on concurrent downloads, and the number of attempts.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use media_cache_http_downloader::{ConcurrencyLimiter, LimiterOptions, RetryOptions};

/// Limits on concurrent downloads, for commands that run long enough to have many.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct DownloadLimits {
    /// The maximum number of concurrent downloads
    #[arg(long, value_name = "N", default_value_t = LimiterOptions::default().max_downloads)]
    max_downloads: NonZeroUsize,
    /// The maximum number of concurrent downloads from one host
    #[arg(long, value_name = "N", default_value_t = LimiterOptions::default().max_downloads_per_host)]
    max_downloads_per_host: NonZeroUsize,
    /// The maximum number of concurrent downloads from the hosts of one registrable domain, such as `example.org` or `example.co.uk`
    #[arg(long, value_name = "N", default_value_t = LimiterOptions::default().max_downloads_per_domain)]
    max_downloads_per_domain: NonZeroUsize,
    /// The maximum number of concurrent downloads that are connected to one address, or one IPv6 /64 network
    #[arg(long, value_name = "N", default_value_t = LimiterOptions::default().max_downloads_per_address)]
    max_downloads_per_address: NonZeroUsize,
    /// The maximum number of downloads that wait for others to finish; further downloads are refused
    #[arg(long, value_name = "N", default_value_t = LimiterOptions::default().max_queued_downloads)]
    max_queued_downloads: usize,
    /// How long a download waits for others to finish, in seconds, before it is refused
    #[arg(long, value_name = "SECONDS", default_value_t = LimiterOptions::default().max_queue_time.as_secs())]
    max_queue_seconds: u64,
}

impl DownloadLimits {
    /// The number of concurrent downloads.
    pub fn max_downloads(&self) -> NonZeroUsize {
        self.max_downloads
    }

    /// A new limiter with these limits, and this number of concurrent downloads.
    pub fn limiter(&self, max_downloads: NonZeroUsize) -> ConcurrencyLimiter {
        ConcurrencyLimiter::new(LimiterOptions {
            max_downloads,
            max_downloads_per_host: self.max_downloads_per_host,
            max_downloads_per_domain: self.max_downloads_per_domain,
            max_downloads_per_address: self.max_downloads_per_address,
            max_queued_downloads: self.max_queued_downloads,
            max_queue_time: Duration::from_secs(self.max_queue_seconds),
        })
    }
}

/// The number of attempts for a download.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct Retries {
    /// How many times a download is retried after transient failures
    #[arg(long, value_name = "N", default_value_t = RetryOptions::default().retries, value_parser = clap::value_parser!(u32).range(..=10))]
    retries: u32,
}

impl Retries {
    /// The retry options for downloads that may take this long in total, including all retries.
    pub fn options(&self, download_timeout: Duration) -> RetryOptions {
        RetryOptions { retries: self.retries, download_timeout, ..RetryOptions::default() }
    }
}
