//! Encodes numbers that are counted elsewhere.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::metrics::durations::DurationsSnapshot;

/// Encodes a whole family of metrics with one call.
pub(crate) trait Encode {
    /// A counter without labels. `_total` is appended to the name.
    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result;

    /// Counters that differ in one label.
    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result;

    /// Gauges that differ in one label.
    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, impl EncodeGaugeValue)]) -> fmt::Result;

    /// A gauge without labels.
    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result;

    /// Information in labels; the value is always 1. `_info` is appended to the name.
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result;

    /// Any other metric without labels.
    fn metric(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result;

    /// A histogram without labels.
    fn histogram(&mut self, name: &str, help: &str, value: DurationsSnapshot<'_>) -> fmt::Result {
        self.metric(name, help, &value)
    }

    /// Histograms that differ in one label.
    fn histograms(&mut self, name: &str, help: &str, label: &str, values: &[(&str, DurationsSnapshot<'_>)]) -> fmt::Result;
}

impl Encode for DescriptorEncoder<'_> {
    fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        let mut encoder = self.encode_descriptor(name, &sentence(help), None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut encoder = self.encode_descriptor(name, &sentence(help), None, MetricType::Counter)?;
        for (which, value) in values {
            encoder.encode_family(&[(label, *which)])?.encode_counter::<NoLabelSet, _, u64>(value, None)?;
        }
        Ok(())
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, impl EncodeGaugeValue)]) -> fmt::Result {
        let mut encoder = self.encode_descriptor(name, &sentence(help), None, MetricType::Gauge)?;
        for (which, value) in values {
            encoder.encode_family(&[(label, *which)])?.encode_gauge(value)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.encode_descriptor(name, &sentence(help), None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.encode_descriptor(name, &sentence(help), None, MetricType::Info)?.encode_info(&labels)
    }

    fn metric(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(self.encode_descriptor(name, &sentence(help), None, metric.metric_type())?)
    }

    fn histograms(&mut self, name: &str, help: &str, label: &str, values: &[(&str, DurationsSnapshot<'_>)]) -> fmt::Result {
        let mut encoder = self.encode_descriptor(name, &sentence(help), None, MetricType::Histogram)?;
        for (which, durations) in values {
            durations.encode(encoder.encode_family(&[(label, *which)])?)?;
        }
        Ok(())
    }
}

/// Ends a help text with a full stop, as the registry of `prometheus_client` does.
fn sentence(help: &str) -> String {
    format!("{help}.")
}
