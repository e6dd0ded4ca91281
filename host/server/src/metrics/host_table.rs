//! Downloads of the busiest hosts, for the dashboard.
//!
//! Hosts cannot be labels of metrics, since clients choose them. This table has a limited number of rows. A new host replaces the one with the
//! fewest downloads, so a host that returns later is counted from zero; hosts with many downloads stay.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::timestamp::seconds;

/// The maximum number of hosts.
const MAX_HOSTS: usize = 256;

/// How a download ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tally {
    /// With this many bytes.
    Success(u64),
    /// With a failure of this kind.
    Failure(&'static str),
    Abandoned,
}

/// The counts of hosts.
#[derive(Debug, Default)]
pub(crate) struct HostTable(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    by_host: HashMap<String, Row>,
    /// How many hosts were replaced.
    replaced: u64,
}

#[derive(Debug)]
struct Row {
    downloads: u64,
    failures: u64,
    abandoned: u64,
    bytes: u64,
    time: Duration,
    last_failure: Option<(&'static str, SystemTime)>,
    last_used: SystemTime,
}

impl HostTable {
    /// Counts a download that has ended.
    pub fn count(&self, host: String, time: Duration, tally: Tally) {
        let now = SystemTime::now();
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.by_host.len() == MAX_HOSTS && !rows.by_host.contains_key(&host) {
            let least = rows.by_host.iter().min_by_key(|(_, row)| (row.downloads, row.last_used)).map(|(host, _)| host.clone());
            least.and_then(|host| rows.by_host.remove(&host));
            rows.replaced += 1;
        }
        let row = rows.by_host.entry(host).or_insert_with(|| Row::new(now));
        row.downloads += 1;
        row.time += time;
        row.last_used = now;
        match tally {
            Tally::Success(bytes) => row.bytes += bytes,
            Tally::Failure(kind) => {
                row.failures += 1;
                row.last_failure = Some((kind, now));
            }
            Tally::Abandoned => row.abandoned += 1,
        }
    }

    /// The hosts with the most downloads, at most `limit`, as a JSON object.
    pub fn document(&self, limit: usize) -> Value {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hosts: Vec<_> = rows.by_host.iter().collect();
        hosts.sort_by(|(one, a), (other, b)| (b.downloads, one).cmp(&(a.downloads, other)));
        let told: Vec<Value> = hosts.iter().take(limit).map(|(host, row)| row.document(host)).collect();
        json!({ "hosts": told, "tracked": rows.by_host.len(), "replaced": rows.replaced })
    }
}

impl Row {
    fn new(now: SystemTime) -> Self {
        Self { downloads: 0, failures: 0, abandoned: 0, bytes: 0, time: Duration::ZERO, last_failure: None, last_used: now }
    }

    fn document(&self, host: &str) -> Value {
        json!({
            "host": host,
            "downloads": self.downloads,
            "failures": self.failures,
            "abandoned": self.abandoned,
            "bytes": self.bytes,
            "mean_seconds": self.time.as_secs_f64() / self.downloads.max(1) as f64,
            "last_failure": self.last_failure.map(|(kind, at)| json!({ "kind": kind, "at": seconds(at) })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_hosts_stay_while_a_thousand_others_pass_through() {
        let table = HostTable::default();
        for number in 0..1000 {
            table.count("busy.example".into(), Duration::from_secs(1), Tally::Success(10));
            table.count(format!("{number}.example"), Duration::ZERO, Tally::Abandoned);
        }
        table.count("busy.example".into(), Duration::from_secs(1), Tally::Failure("timed-out"));
        let document = table.document(2);
        assert_eq!((&document["tracked"], &document["replaced"]), (&json!(256), &json!(745)));
        let busy = &document["hosts"][0];
        let counted = ["host", "downloads", "failures", "abandoned", "bytes", "mean_seconds"].map(|key| busy[key].clone());
        assert_eq!(json!(counted), json!(["busy.example", 1001, 1, 0, 10_000, 1.0]));
        assert_eq!(busy["last_failure"]["kind"], "timed-out");
        assert_eq!(document["hosts"].as_array().unwrap().len(), 2);
    }
}
