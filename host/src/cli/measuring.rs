//! What the service measures beside what it always does.

use clap::Args;
use media_cache::download::HostPattern;
use media_cache::metrics::Metrics;

/// What is told apart at `/metrics`.
#[derive(Args)]
#[command(next_help_heading = "Logs and metrics")]
pub struct Measuring {
    /// Hosts whose downloads /metrics counts by themselves: `example.org`, or `*.example.org` for those under it together
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    metrics_host: Vec<HostPattern>,
}

impl Measuring {
    /// Measurements, of nothing yet.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(self.metrics_host.clone())
    }
}
