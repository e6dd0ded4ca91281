//! What it costs to replace a policy while a trace is replayed.

use media_cache_simulator::{Policy, Replay, Seed, Trace};
use media_cache_test_support::workspace::workspace_path;

use crate::counts::start;
use crate::process::MEDIA;

const CAPACITY: u64 = 512 << 20;
/// The policy is replaced after so many requests.
const BEFORE: usize = 100_000;
/// And then it is seen what it misses of so many.
const AFTER: usize = 20_000;

/// The share of the next requests that are missed.
fn miss_ratio(replay: &mut Replay<'_, impl Policy>) -> f64 {
    let before = replay.counts().object_misses;
    replay.run(AFTER).unwrap();
    (replay.counts().object_misses - before) as f64 / AFTER as f64
}

/// What decides how a policy does after it took over is above all what its predecessor left in the cache. That it was told of the hits
/// as the cache knows them, and not of all earlier requests, costs next to nothing.
#[test]
fn a_policy_that_takes_over_does_nearly_as_well_as_one_that_knows_all_earlier_requests() {
    let trace = Trace::read(std::fs::File::open(workspace_path(MEDIA)).unwrap()).unwrap();
    let replayed = |policy| {
        let mut replay = Replay::new(&trace, start(policy, CAPACITY), CAPACITY);
        replay.run(BEFORE).unwrap();
        replay
    };
    let then = |replay: &mut Replay<'_, _>| [miss_ratio(replay), miss_ratio(replay), miss_ratio(replay)];
    let not_replaced = then(&mut replayed("lru"));
    // By the byte, frequency is all that counts, and what is not known of it shows.
    for (policy, loss, gain) in [("gdsf", 0.01, 0.1), ("gdsf:beta=1", 0.03, 0.02)] {
        let swapped = |seed| then(&mut replayed("lru").swap(start(policy, CAPACITY), seed).unwrap());
        let (by_hits, ideal, from_the_start) = (swapped(Seed::Hits), swapped(Seed::AllRequests), then(&mut replayed(policy)));
        println!("{policy}: {by_hits:?}, ideal {ideal:?}, from the start {from_the_start:?}, not replaced {not_replaced:?}");
        assert!(by_hits[0] <= ideal[0] + loss, "{policy}: {by_hits:?} {ideal:?}");
        assert!((0..3).all(|at| by_hits[at] < not_replaced[at] - gain), "{policy}: {by_hits:?} {not_replaced:?}");
    }
}
