//! Metrics of the certificate of the service.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::connections::tls::SharedTls;
use crate::metrics::encode::Encode;
use crate::timestamp::seconds;

/// The certificate, whose time is read at each scrape.
pub(crate) struct CertificateMetrics(pub SharedTls);

impl Collector for CertificateMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(not_after) = self.0.not_after() else { return Ok(()) };
        let help = "When the certificate with which new connections are accepted expires, in seconds since 1970";
        encoder.gauge("tls_certificate_expiry_seconds", help, seconds(not_after))
    }
}

impl fmt::Debug for CertificateMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.not_after().fmt(f)
    }
}
