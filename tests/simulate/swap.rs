//! What it costs to replace a policy while a trace is replayed.

use media_cache::simulate::{Policy, Replay, Seed, Trace};

use crate::counts::start;
use crate::process::MEDIA;

const CAPACITY: u64 = 512 << 20;
/// The policy is replaced after so many requests.
const BEFORE: usize = 100_000;
/// And then it is seen what it misses of so many.
const AFTER: usize = 20_000;

/// The share of the requests that come after the swap which are missed.
fn miss_ratio(mut replay: Replay<'_, impl Policy>) -> f64 {
    let before = replay.counts().object_misses;
    replay.run(AFTER).unwrap();
    (replay.counts().object_misses - before) as f64 / AFTER as f64
}

#[test]
fn a_policy_that_takes_over_does_nearly_as_well_as_one_that_knows_all_earlier_requests() {
    let trace = Trace::read(std::fs::File::open(MEDIA).unwrap()).unwrap();
    let replayed = |policy| {
        let mut replay = Replay::new(&trace, start(policy, CAPACITY), CAPACITY);
        replay.run(BEFORE).unwrap();
        replay
    };
    let swapped = |seed| miss_ratio(replayed("lru").swap(start("gdsf", CAPACITY), seed).unwrap());
    let (by_hits, ideal) = (swapped(Seed::Hits), swapped(Seed::AllRequests));
    let (without, from_the_start) = (miss_ratio(replayed("lru")), miss_ratio(replayed("gdsf")));
    println!("replaced: {by_hits}, told of all earlier requests: {ideal}, not replaced: {without}, from the start: {from_the_start}");
    assert!(by_hits <= ideal + 0.01, "{by_hits} {ideal}");
    // It is the new policy that decides from then on.
    assert!(by_hits < without - 0.05, "{by_hits} {without}");
}
