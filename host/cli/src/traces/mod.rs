//! Traces of requests, which are sent to an OpenTelemetry collector.
//!
//! The crates of the cache create spans with [`tracing`]. A layer of the log's subscriber records those of traced requests, and a thread
//! sends them in batches with OTLP over HTTP. The variables of OpenTelemetry apply as in other programs that use its SDK.

mod batches;
mod client;
mod endpoint;
mod export;
mod layer;
mod sampling;
mod tracer;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use media_cache_server::{RequestTracer, SpanCounts};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, SdkProvidedResourceDetector};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use url::Url;

use crate::logging::SpanLayer;
use crate::traces::batches::Batches;
use crate::traces::client::CollectorClient;
use crate::traces::endpoint::{OtlpEndpoint, variable};
use crate::traces::export::{BoundedProcessor, CountedExporter, ExportState};
use crate::traces::sampling::{ratio, sampler};
use crate::traces::tracer::OtlpTracer;

/// The name of the service in traces, unless the environment has another.
const SERVICE_NAME: &str = "media-cache";

/// Which requests are traced, and where their traces are sent.
#[derive(Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceOptions {
    /// The OpenTelemetry collector that receives traces of requests, such as `http://127.0.0.1:4318`; `/v1/traces` is appended. `environment`
    /// stands for the endpoint in OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT. By default, nothing is traced
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<OtlpEndpoint>,
    /// The fraction of requests that are traced, from 0 to 1; a request with a `traceparent` is traced if the sampled flag in it is set. By
    /// default, OTEL_TRACES_SAMPLER applies, or else 0.01
    #[arg(long, value_name = "FRACTION", value_parser = ratio)]
    trace_ratio: Option<f64>,
}

/// What is exported, and where.
struct Export {
    url: Url,
    sampler: Sampler,
    timeout: Duration,
    batches: Batches,
}

/// The tracing of a service.
pub struct Traces {
    url: Url,
    provider: SdkTracerProvider,
    tracer: Arc<OtlpTracer>,
    state: Arc<ExportState>,
}

impl TraceOptions {
    /// Starts tracing, if it is configured. Must be called within a Tokio runtime, which then sends the spans.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn start(&self) -> anyhow::Result<Option<Traces>> {
        let Some(Export { url, sampler, timeout, batches }) = self.export()? else { return Ok(None) };
        let state = Arc::new(ExportState::new(&url, batches.queue));
        let client = CollectorClient::new(Handle::current(), timeout, state.clone())?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url.as_str())
            .build()
            .context("--otlp-endpoint")?;
        let exporter = CountedExporter::new(exporter, state.clone());
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches.config()).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BoundedProcessor::new(batches, state.clone()))
            .with_resource(resource())
            // The decision about a request is made before it has a span.
            .with_sampler(Sampler::AlwaysOn)
            .build();
        Ok(Some(Traces { url, provider, tracer: Arc::new(OtlpTracer::new(sampler)), state }))
    }

    /// The problem that would keep a service from starting, if there is one.
    pub fn problem(&self) -> Option<anyhow::Error> {
        self.export().err()
    }

    /// Logs where traces are sent, or that a variable turns them off, if they are configured.
    pub fn log(&self, traces: Option<&Traces>) {
        match (traces, turned_off_by()) {
            (Some(Traces { url, tracer, .. }), _) => tracing::info!(sampler = ?tracer.sampler(), "traces are sent to {url}"),
            (None, Some(variable)) if self.otlp_endpoint.is_some() => tracing::info!("traces are off: {variable}"),
            (None, _) => {}
        }
    }

    /// What is exported, and where. `None` if nothing is.
    fn export(&self) -> anyhow::Result<Option<Export>> {
        let Some(endpoint) = &self.otlp_endpoint else {
            if self.trace_ratio.is_some() {
                bail!("--trace-ratio has no effect without --otlp-endpoint: set both, or neither");
            }
            return Ok(None);
        };
        if turned_off_by().is_some() {
            return Ok(None);
        }
        endpoint::check_protocol()?;
        let (url, sampler) = (endpoint.url()?, sampler(self.trace_ratio)?);
        Ok(Some(Export { url, sampler, timeout: endpoint::timeout()?, batches: Batches::configured()? }))
    }
}

/// The variable that turns traces off, with its value, if one does.
fn turned_off_by() -> Option<String> {
    let is_set_to = |name, value: &str| variable(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    let turns_off = [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")];
    turns_off.into_iter().find(|(name, value)| is_set_to(name, value)).map(|(name, value)| format!("{name}={value}"))
}

/// What the service is called in traces. Variables take precedence.
fn resource() -> Resource {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let own = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", format!("{host}-{:08x}", fastrand::u32(..))),
        KeyValue::new("host.name", host),
    ];
    let named = Resource::builder_empty().with_detector(Box::new(SdkProvidedResourceDetector)).build();
    let is_named = named.iter().any(|(_, value)| !value.as_str().starts_with("unknown_service"));
    let resource = Resource::builder_empty().with_attributes(own).with_detector(Box::new(EnvResourceDetector::new()));
    let name = named.iter().next().filter(|_| is_named).map(|(_, name)| name.clone());
    resource.with_service_name(name.unwrap_or_else(|| SERVICE_NAME.into())).build()
}

impl Traces {
    /// Records spans in the subscriber of the log.
    pub fn layer(&self) -> SpanLayer {
        layer::layer(self.provider.tracer("media-cache"))
    }

    /// Decides which requests are traced.
    pub fn tracer(&self) -> Arc<dyn RequestTracer> {
        self.tracer.clone()
    }

    /// Counts spans.
    pub fn counts(&self) -> Arc<dyn SpanCounts> {
        self.state.clone()
    }

    /// Sends the remaining spans within this time.
    pub async fn finish(self, limit: Duration) {
        let Self { provider, state, .. } = self;
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(limit)).await;
        let unsent = state.queued();
        if unsent > 0 || !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("{unsent} spans were not sent before the service stopped");
        }
    }
}
