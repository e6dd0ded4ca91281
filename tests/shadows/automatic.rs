//! `--policy auto`: when the policy is switched.

use media_cache_shadows::{AutoState, Decision, ShadowOptions, Switch};
use media_cache_simulator::{Replay, Sandboxed, Trace};
use media_cache_test_support::random::Random;

use crate::live::{ENGINE, Live, active, choose, options};

const CAPACITY: u64 = 16 << 20;

const POLICIES: [&str; 5] = ["lru", "sieve", "s3-fifo", "gdsf:beta=0.5", "w-tinylfu"];

/// A window has at least this many requests.
const MIN_WINDOW: u64 = 2000;

fn automatic(policies: &[&str]) -> ShadowOptions {
    let mut options = options(policies);
    options.is_automatic = true;
    options.memory_bytes = 1 << 30;
    options.min_window_requests = MIN_WINDOW;
    options
}

/// Requests with Zipf popularity (exponent about 1) among `objects`, whose numbers begin at `first`.
struct Zipf {
    random: Random,
    objects: u64,
    first: u64,
}

impl Zipf {
    fn next(&mut self) -> u64 {
        // The logarithm of the rank is uniformly distributed.
        let uniform = (self.random.number() >> 11) as f64 / (1u64 << 53) as f64;
        self.first + (self.objects as f64).powf(uniform) as u64
    }
}

/// A fingerprint for the number of an object.
fn fingerprint(object: u64) -> u64 {
    Random(object).number()
}

/// The size of an object: most are small, some are very large.
fn mixed_size(object: u64) -> u64 {
    let number = Random(object ^ 0xf00d).number();
    match number % 20 {
        0 => (1 << 18) + number % (1 << 20),
        _ => 4096 + number % (64 << 10),
    }
}

/// A phase of a trace.
type Phase = (&'static str, Vec<(u64, u64)>);

/// A timeline (new objects are popular for a while), a scan over everything with some popular objects, images of all sizes, and a
/// stationary mix.
fn phases(length: u64) -> Vec<Phase> {
    let mut random = Random(7);
    let timeline = (0..length).map(|now| {
        let age = (random.below(1 << 20) as f64 / f64::from(1 << 20)).powi(3) * 750.0;
        let object = (now / 4).saturating_sub(age as u64);
        (fingerprint(object), 16 << 10)
    });
    let timeline = timeline.collect();
    let mut popular = Zipf { random: Random(8), objects: 750, first: 1 << 30 };
    let scan = (0..length).map(|now| {
        let object = if now % 2 == 0 { popular.next() } else { (2 << 30) + now % 40_000 };
        (fingerprint(object), 16 << 10)
    });
    let scan = scan.collect();
    let mut images = Zipf { random: Random(9), objects: 5000, first: 3 << 30 };
    let images = (0..length).map(|_| images.next()).map(|object| (fingerprint(object), mixed_size(object))).collect();
    let mut mix = Zipf { random: Random(10), objects: 7500, first: 4 << 30 };
    let mix = (0..length).map(|_| mix.next()).map(|object| (fingerprint(object), 8 << 10)).collect();
    vec![("timeline", timeline), ("scan", scan), ("images", images), ("mix", mix)]
}

/// Whether each request is a miss with a fixed policy.
fn misses(policy: &str, requests: &[(u64, u64)]) -> Vec<bool> {
    let lines: String = requests.iter().enumerate().map(|(at, (object, size))| format!("{at},{object:016x},{size}\n")).collect();
    let trace = Trace::read(lines.as_bytes()).unwrap();
    let policy = Sandboxed::new(&ENGINE, &choose(policy), media_cache::policy::PolicyLimits::default(), CAPACITY).unwrap();
    let mut replay = Replay::new(&trace, policy, CAPACITY);
    let mut before = 0;
    let step = |_: &(u64, u64)| {
        replay.run(1).unwrap();
        let after = replay.counts().object_misses;
        std::mem::replace(&mut before, after) < after
    };
    requests.iter().map(step).collect()
}

fn ratio(misses: &[bool]) -> f64 {
    misses.iter().filter(|miss| **miss).count() as f64 / misses.len() as f64
}

/// A run of a cache with `--policy auto`.
struct Run {
    misses: Vec<bool>,
    /// The requests at which windows ended.
    ends: Vec<usize>,
    switches: Vec<Switch>,
    state: AutoState,
}

fn run(requests: &[(u64, u64)], mut at_request: impl FnMut(usize, &mut Live)) -> Run {
    let mut live = Live::new("lru", CAPACITY, automatic(&POLICIES));
    let (mut misses, mut ends) = (Vec::new(), Vec::new());
    for (number, (object, size)) in requests.iter().enumerate() {
        at_request(number, &mut live);
        misses.push(!live.request(*object, *size));
        if number % 100 == 0 && live.process().is_window_complete {
            ends.push(number);
        }
    }
    let auto = live.report().auto.unwrap();
    Run { misses, ends, switches: auto.switches, state: auto.state }
}

#[test]
fn policy_follows_the_phases_of_a_trace() {
    let phases = phases(150_000);
    let requests: Vec<(u64, u64)> = phases.iter().flat_map(|(_, requests)| requests).copied().collect();
    let fixed: Vec<Vec<bool>> = POLICIES.iter().map(|policy| misses(policy, &requests)).collect();
    let run = run(&requests, |_, _| ());
    let mut begin = 0;
    let mut active = "lru";
    for (name, phase) in &phases {
        let end = begin + phase.len();
        let ends: Vec<usize> = run.ends.iter().copied().filter(|at| (begin..end).contains(at)).collect();
        assert!(ends.len() >= 30, "{name} has {} windows, fewer than ten settling times", ends.len());
        // The first window began in the previous phase.
        let settled = ends[3]..end;
        let ratios: Vec<f64> = fixed.iter().map(|misses| ratio(&misses[settled.clone()])).collect();
        let best = ratios.iter().copied().fold(1.0, f64::min);
        let (automatic, whole) = (ratio(&run.misses[settled]), ratio(&run.misses[begin..end]));
        let stayed = POLICIES.iter().position(|policy| *policy == active).map(|at| ratio(&fixed[at][begin..end])).unwrap();
        println!("{name}: {ratios:.4?}, automatic {automatic:.4}; whole phase {whole:.4}, without a switch {stayed:.4}");
        assert!(automatic <= best + 0.01, "{name}: {automatic} instead of {best}; {:#?}", run.switches);
        assert!(whole <= stayed + 0.01, "{name}: {whole} instead of {stayed}");
        let at = (end as f64) / 1000.0;
        active = run.switches.iter().rev().find(|switch| switch.at < at).map_or("lru", |switch| &switch.to);
        begin = end;
    }
    let window = |misses: &[bool]| misses.chunks(50_000).map(ratio).fold(0.0, f64::max);
    println!(
        "worst 50,000 requests: automatic {:.4}, fixed {:.4?}",
        window(&run.misses),
        fixed.iter().map(|misses| window(misses)).collect::<Vec<_>>()
    );
    for switch in &run.switches {
        println!(
            "{} to {} at {}: predicted {:?}, achieved {:?}",
            switch.from, switch.to, switch.at, switch.predicted_gain, switch.achieved_gain
        );
    }
    assert!(run.switches.len() >= 3, "{:#?}", run.switches);
    assert!(run.switches.iter().any(|switch| switch.achieved_gain.is_some()), "{:#?}", run.switches);
}

#[test]
fn policy_is_switched_at_most_once_on_a_stationary_trace() {
    for seed in [1, 2] {
        let mut zipf = Zipf { random: Random(seed), objects: 5000, first: seed << 40 };
        let requests: Vec<(u64, u64)> =
            (0..100_000).map(|_| zipf.next()).map(|object| (fingerprint(object), mixed_size(object))).collect();
        let run = run(&requests, |_, _| ());
        assert!(run.ends.len() > 30 && run.switches.len() <= 1, "{:#?}", run.switches);
    }
}

#[test]
fn nothing_is_switched_after_somebody_else_has_swapped_the_policy() {
    let (_, images) = phases(40_000).swap_remove(2);
    let run = run(&images, |number, live| {
        if number == 5000 {
            live.swap("w-tinylfu");
        }
    });
    assert_eq!((run.switches, run.state), (Vec::new(), AutoState::Paused));
}

#[test]
fn switch_that_does_not_achieve_half_of_its_prediction_is_reverted() {
    let (_, images) = phases(60_000).swap_remove(2);
    let mut live = Live::new("lru", CAPACITY, automatic(&["lru", "gdsf:beta=0.5"]));
    let mut decisions = Vec::new();
    for (number, (object, size)) in images.into_iter().enumerate() {
        live.request(object, size);
        if number % 100 == 0 {
            // The cache says that it has switched, but still decides as before.
            let decision = live.shadows.process(&live.feed, number as u64, &live.active).decision;
            if let Some(Decision { to, .. }) = decision {
                live.active = active(&to);
                decisions.push(to);
            }
        }
    }
    assert_eq!(decisions, ["gdsf:beta=0.5", "lru"], "the policy is not considered again for a while");
    let switches = live.report().auto.unwrap().switches;
    let (there, back) = (&switches[0], &switches[1]);
    assert!(there.reverted && there.achieved_gain.unwrap() < there.predicted_gain.unwrap() / 2.0, "{there:?}");
    assert_eq!(back.predicted_gain, None);
}
