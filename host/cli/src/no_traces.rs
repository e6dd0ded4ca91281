//! A build without the feature `opentelemetry`: requests cannot be traced.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use media_cache_server::{RequestTracer, SpanCounts};

use crate::logging::SpanLayer;

/// The options of other builds.
#[derive(Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceOptions {
    /// Not available: this program was built without the feature `opentelemetry`
    #[arg(long, value_name = "URL", hide = true)]
    otlp_endpoint: Option<String>,
    /// Not available: this program was built without the feature `opentelemetry`
    #[arg(long, value_name = "FRACTION", hide = true)]
    trace_ratio: Option<f64>,
}

impl TraceOptions {
    /// No traces.
    ///
    /// # Errors
    /// If an option is set.
    pub fn start(&self) -> anyhow::Result<Option<Traces>> {
        self.problem().map_or(Ok(None), Err)
    }

    /// Nothing to log.
    pub fn log(&self, _traces: Option<&Traces>) {}

    /// That an option is set, if one is.
    pub fn problem(&self) -> Option<anyhow::Error> {
        let named = [(self.otlp_endpoint.is_some(), "otlp-endpoint"), (self.trace_ratio.is_some(), "trace-ratio")];
        let (_, name) = named.into_iter().find(|(is_set, _)| *is_set)?;
        Some(anyhow::anyhow!("--{name} cannot be used, because this program was built without the feature `opentelemetry`"))
    }
}

/// Tracing that does not exist.
pub struct Traces(Infallible);

impl Traces {
    pub fn layer(&self) -> SpanLayer {
        match self.0 {}
    }

    pub fn tracer(&self) -> Arc<dyn RequestTracer> {
        match self.0 {}
    }

    pub fn counts(&self) -> Arc<dyn SpanCounts> {
        match self.0 {}
    }

    pub async fn finish(self, _limit: Duration) {
        match self.0 {}
    }
}
