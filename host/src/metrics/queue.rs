//! The queue of downloads: how many have a turn, how many wait for one, and how many were sent away.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::encode::Encode;
use crate::download::DownloadQueue;

/// A queue, asked at each scrape.
pub(super) struct Queue(pub DownloadQueue);

impl Collector for Queue {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = self.0.counts();
        encoder.gauge("queue_under_way", "Downloads that have a turn", counts.under_way as u64)?;
        encoder.gauge("queue_waiting", "Downloads that wait for a turn", counts.waiting as u64)?;
        encoder.counter("queue_refused", "Downloads that were sent away because too many waited", counts.refused)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.counts().fmt(f)
    }
}
