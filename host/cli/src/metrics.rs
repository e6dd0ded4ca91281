//! Additional metrics of the service.

use clap::Args;
use media_cache_http_downloader::HostPattern;
use media_cache_server::metrics::Metrics;

/// The hosts that `/metrics` counts separately.
#[derive(Args)]
#[command(next_help_heading = "Logs and metrics")]
pub struct MetricsOptions {
    /// Hosts whose downloads /metrics counts separately: `example.org`, or `*.example.org` for all its subdomains combined
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    metrics_host: Vec<HostPattern>,
}

impl MetricsOptions {
    /// Metrics without any measurements.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(self.metrics_host.clone())
    }
}
