//! The counts match those of reference policies, on generated traces, at capacities of all kinds.

use std::sync::OnceLock;

use media_cache::policy::{PolicyEngine, PolicyLimits, PolicySpec};
use media_cache_simulator::{Counts, Replay, Sandboxed, Trace};

use crate::generated::{csv, requests};
use crate::references::{Gdsf, Lru, Reference, S3Fifo, Sieve};

pub fn engine() -> &'static PolicyEngine {
    static ENGINE: OnceLock<PolicyEngine> = OnceLock::new();
    ENGINE.get_or_init(|| PolicyEngine::new().unwrap())
}

/// Starts a policy, given as on the command line.
pub fn start(policy: &str, capacity: u64) -> Sandboxed {
    let choice = policy.parse::<PolicySpec>().unwrap().choose(engine()).unwrap();
    Sandboxed::new(engine(), &choice, PolicyLimits::default(), capacity).unwrap()
}

/// Replays requests through a reference policy.
pub fn count(requests: &[(u64, u64)], capacity: u64, policy: &mut dyn Reference) -> Counts {
    let mut counts = Counts::default();
    for (key, size) in requests {
        counts.requests += 1;
        counts.requested_bytes += size;
        if policy.hit(*key) {
            continue;
        }
        counts.object_misses += 1;
        counts.missed_bytes += size;
        if *size <= capacity {
            let (evicted, stored) = policy.miss(*key, *size);
            counts.evictions += evicted;
            counts.bytes_written += if stored { *size } else { 0 };
        }
    }
    counts
}

fn compare<R: Reference>(policy: &str, reference: impl Fn(u64) -> R, capacities: &[u64]) {
    for (capacity, seed) in capacities.iter().flat_map(|capacity| [(*capacity, 1), (*capacity, 20_260_101)]) {
        let requests = requests(8000, seed);
        let trace = Trace::read(csv(&requests).as_bytes()).unwrap();
        let mut replay = Replay::new(&trace, start(policy, capacity), capacity);
        replay.run(usize::MAX).unwrap();
        assert_eq!(replay.counts(), count(&requests, capacity, &mut reference(capacity)), "{policy} at {capacity}, seed {seed}");
    }
}

#[test]
fn lru_counts_match_a_simple_reference_implementation() {
    compare("lru", Lru::new, &[1, 2, 7, 100, 3001, 65_537, 1 << 40]);
}

#[test]
fn sieve_counts_match_a_simple_reference_implementation() {
    compare("sieve", Sieve::new, &[1, 2, 7, 100, 3001, 65_537, 1 << 40]);
}

#[test]
fn gdsf_counts_match_a_simple_reference_implementation() {
    compare("gdsf", Gdsf::new, &[1, 2, 7, 100, 3001, 65_537, 1 << 40]);
}

/// At capacities below 20, the small queue holds one unit, for which this library has a special rule.
#[test]
fn s3_fifo_counts_match_a_simple_reference_implementation() {
    compare("s3-fifo", S3Fifo::new, &[20, 29, 101, 3001, 30_011, 65_537, 1 << 40]);
}

#[test]
fn generated_trace_has_both_hits_and_evictions() {
    let requests = requests(8000, 1);
    let counts = count(&requests, 30_011, &mut Lru::new(30_011));
    let ratio = counts.object_misses as f64 / counts.requests as f64;
    assert!((0.3..0.7).contains(&ratio) && counts.evictions > 2000, "{ratio}, {counts:?}");
}
