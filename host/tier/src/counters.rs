//! Counts what a tier does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use media_cache::Histogram;

use crate::status::{LeaseOutcome, LookupOutcome, UploadOutcome};

/// The bounds of the histogram of lookups.
const BOUNDS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

pub(crate) struct Counters {
    lookups: [AtomicU64; LookupOutcome::ALL.len()],
    uploads: [AtomicU64; UploadOutcome::ALL.len()],
    leases: [AtomicU64; LeaseOutcome::ALL.len()],
    pub lookup_time: Histogram,
    pub received_bytes: AtomicU64,
    pub sent_bytes: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        let (lookups, uploads, leases) = Default::default();
        let (received_bytes, sent_bytes) = Default::default();
        Self { lookups, uploads, leases, lookup_time: Histogram::new(BOUNDS), received_bytes, sent_bytes }
    }
}

impl Counters {
    pub fn lookup(&self, outcome: LookupOutcome) {
        self.lookups[outcome as usize].fetch_add(1, Relaxed);
    }

    pub fn upload(&self, outcome: UploadOutcome) {
        self.uploads[outcome as usize].fetch_add(1, Relaxed);
    }

    pub fn lease(&self, outcome: LeaseOutcome) {
        self.leases[outcome as usize].fetch_add(1, Relaxed);
    }

    pub fn lookups(&self) -> Vec<(LookupOutcome, u64)> {
        LookupOutcome::ALL.into_iter().zip(counts(&self.lookups)).collect()
    }

    pub fn uploads(&self) -> Vec<(UploadOutcome, u64)> {
        UploadOutcome::ALL.into_iter().zip(counts(&self.uploads)).collect()
    }

    pub fn leases(&self) -> Vec<(LeaseOutcome, u64)> {
        LeaseOutcome::ALL.into_iter().zip(counts(&self.leases)).collect()
    }
}

fn counts(counters: &[AtomicU64]) -> impl Iterator<Item = u64> {
    counters.iter().map(|counter| counter.load(Relaxed))
}
