//! The cost of replacing a policy during a replay.

use media_cache_simulator::{Policy, Replay, Seed, Trace};
use media_cache_test_support::workspace::workspace_path;

use crate::counts::start;
use crate::process::MEDIA;

const CAPACITY: u64 = 512 << 20;
/// The number of requests before the policy is replaced.
const BEFORE: usize = 100_000;
/// The number of requests after that in which misses are counted.
const AFTER: usize = 20_000;

/// The miss ratio of the next requests.
fn miss_ratio(replay: &mut Replay<'_, impl Policy>) -> f64 {
    let before = replay.counts().object_misses;
    replay.run(AFTER).unwrap();
    (replay.counts().object_misses - before) as f64 / AFTER as f64
}

/// The result of a policy after a swap depends mostly on what its predecessor left in the cache. Seeding it with the hits known to the
/// cache, rather than with all earlier requests, costs next to nothing.
#[test]
fn policy_seeded_with_hits_does_nearly_as_well_as_one_seeded_with_all_requests() {
    let trace = Trace::read(std::fs::File::open(workspace_path(MEDIA)).unwrap()).unwrap();
    let replayed = |policy| {
        let mut replay = Replay::new(&trace, start(policy, CAPACITY), CAPACITY);
        replay.run(BEFORE).unwrap();
        replay
    };
    let then = |replay: &mut Replay<'_, _>| [miss_ratio(replay), miss_ratio(replay), miss_ratio(replay)];
    let not_replaced = then(&mut replayed("lru"));
    // With `beta=1`, only frequency counts, so the missing earlier requests have a larger effect.
    for (policy, loss, gain) in [("gdsf", 0.01, 0.1), ("gdsf:beta=1", 0.03, 0.02)] {
        let swapped = |seed| then(&mut replayed("lru").swap(start(policy, CAPACITY), seed).unwrap());
        let (by_hits, ideal, from_the_start) = (swapped(Seed::Hits), swapped(Seed::AllRequests), then(&mut replayed(policy)));
        println!("{policy}: {by_hits:?}, ideal {ideal:?}, from the start {from_the_start:?}, not replaced {not_replaced:?}");
        assert!(by_hits[0] <= ideal[0] + loss, "{policy}: {by_hits:?} {ideal:?}");
        assert!((0..3).all(|at| by_hits[at] < not_replaced[at] - gain), "{policy}: {by_hits:?} {not_replaced:?}");
    }
}
