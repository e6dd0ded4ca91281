//! The interface through which the service reports on its second tier, which is elsewhere.

use std::time::SystemTime;

use media_cache::HistogramSnapshot;
use serde_json::{Value, json};

/// The second tier of a service: a store that it shares with other services, between its own entries and the origins.
pub trait SecondTier: Send + Sync {
    /// The current state and the counters. It must not block.
    fn report(&self) -> TierReport;
}

/// The state of a second tier, and what was counted since the start of the service. Counters have one value for each outcome.
#[derive(Clone, Debug)]
pub struct TierReport {
    /// Where the tier is.
    pub location: String,
    /// Why media cannot be looked up at present.
    pub read_outage: Option<TierOutage>,
    /// Why media cannot be uploaded at present.
    pub write_outage: Option<TierOutage>,
    /// Lookups.
    pub lookups: Vec<(&'static str, u64)>,
    /// How long lookups took.
    pub lookup_durations: HistogramSnapshot,
    /// The bytes of media that were received.
    pub received_bytes: u64,
    /// Uploads.
    pub uploads: Vec<(&'static str, u64)>,
    /// The bytes of media that were sent.
    pub sent_bytes: u64,
    /// The entries that wait to be uploaded or are being uploaded.
    pub queued: u64,
    /// Requests for leases.
    pub leases: Vec<(&'static str, u64)>,
}

/// Why a tier cannot be used at present.
#[derive(Clone, Debug)]
pub struct TierOutage {
    /// The last failure.
    pub reason: String,
    /// When the outage was noticed.
    pub since: SystemTime,
}

impl TierReport {
    /// The state as a JSON object, for `/readyz`.
    pub(crate) fn state(&self) -> Value {
        let state = |outage: &Option<TierOutage>| match outage {
            None => json!({ "state": "available" }),
            Some(TierOutage { reason, since }) => json!({ "state": "unavailable", "reason": reason, "since": seconds(*since) }),
        };
        json!({ "location": self.location, "reads": state(&self.read_outage), "writes": state(&self.write_outage) })
    }

    /// The state and the counters as a JSON object, for `/stats`.
    pub(crate) fn document(&self) -> Value {
        let counts =
            |counts: &[(&'static str, u64)]| counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
        let mut document = self.state();
        document["lookups"] = Value::Object(counts(&self.lookups));
        document["received_bytes"] = self.received_bytes.into();
        document["uploads"] = Value::Object(counts(&self.uploads));
        document["sent_bytes"] = self.sent_bytes.into();
        document["queued"] = self.queued.into();
        document["leases"] = Value::Object(counts(&self.leases));
        document
    }
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
