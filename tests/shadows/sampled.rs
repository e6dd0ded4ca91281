//! Samples: the stated errors are right.

use media_cache::policy::PolicyLimits;
use media_cache_shadows::{FACTORS, SamplingRate};
use media_cache_simulator::{Replay, Sandboxed, Trace};

use crate::counts::media;
use crate::live::{ENGINE, Live, choose, options};

const CAPACITY: u64 = 512 << 20;

/// The number of requests in a window.
const WINDOW: usize = 40_000;

const POLICIES: [&str; 5] = ["lru", "sieve", "s3-fifo", "gdsf:beta=0.5", "w-tinylfu"];

/// The object and byte miss ratio, each with an error.
type Ratios = [(f64, f64); 2];

/// Estimates from a sample, for all policies and budgets. `salt` selects the sample.
fn estimates(trace: &Trace, rate: SamplingRate, salt: u64) -> Vec<Ratios> {
    let mut options = options(&POLICIES);
    options.memory_bytes = 4 << 30;
    options.min_window_requests = WINDOW as u64;
    let mut live = Live::new("lru", CAPACITY, options);
    for (number, request) in trace.requests().iter().enumerate() {
        if number == WINDOW {
            live.feed.set_rate(rate);
        }
        live.request(trace.fingerprint(request.object) ^ salt, request.size);
        if (number + 1) % 1000 == 0 {
            live.process();
        }
    }
    let report = live.report();
    assert_eq!(report.sampling.rate, rate.fraction());
    let of = |value: Option<f64>, error: Option<f64>| (value.unwrap(), error.unwrap());
    let points = report.shadows.iter().flat_map(|shadow| &shadow.points);
    let ratios = points.map(|point| {
        [of(point.object_miss_ratio, point.object_miss_ratio_error), of(point.byte_miss_ratio, point.byte_miss_ratio_error)]
    });
    ratios.collect()
}

/// The true ratios over the windows after the first one in which the sample is used.
fn truth(trace: &Trace) -> Vec<[f64; 2]> {
    let ratios = move |policy: &str, factor: f64| {
        let capacity = (CAPACITY as f64 * factor) as u64;
        let policy = Sandboxed::new(&ENGINE, &choose(policy), PolicyLimits::default(), capacity).unwrap();
        let mut replay = Replay::new(trace, policy, capacity);
        replay.run(2 * WINDOW).unwrap();
        let before = replay.counts();
        replay.run(usize::MAX).unwrap();
        let after = replay.counts();
        let ratio = |misses: u64, requests: u64| misses as f64 / requests as f64;
        [
            ratio(after.object_misses - before.object_misses, after.requests - before.requests),
            ratio(after.missed_bytes - before.missed_bytes, after.requested_bytes - before.requested_bytes),
        ]
    };
    POLICIES.iter().flat_map(|policy| FACTORS.map(move |factor| ratios(policy, factor))).collect()
}

#[test]
fn true_ratios_are_within_the_stated_errors_in_95_percent_of_checks() {
    let trace = media();
    let truths = truth(&trace);
    let rates = std::iter::successors(Some(SamplingRate::FULL.halved()), |rate| Some(rate.halved()));
    let samples: Vec<(SamplingRate, u64)> =
        (1..).map(|salt| salt << 40).zip(rates).map(|(salt, rate)| (rate, salt)).take(4).collect();
    let run = |samples: &[(SamplingRate, u64)]| -> Vec<Vec<Ratios>> {
        samples.iter().map(|(rate, salt)| estimates(&trace, *rate, *salt)).collect()
    };
    let (first, second) = samples.split_at(samples.len() / 2);
    let all = std::thread::scope(|scope| {
        let first = scope.spawn(|| run(first));
        let second = run(second);
        first.join().unwrap().into_iter().chain(second).collect::<Vec<_>>()
    });
    for kind in 0..2 {
        let checks = all.iter().flat_map(|estimates| estimates.iter().zip(&truths));
        let (mut within, mut number, mut widest) = (0, 0, 0f64);
        for (estimate, truth) in checks {
            let (value, error) = estimate[kind];
            within += u32::from((value - truth[kind]).abs() <= error);
            (number, widest) = (number + 1, widest.max(error));
        }
        println!("{within} of {number} are within the error, at most {widest:.3}");
        assert!(within * 100 >= number * 95, "{within} of {number}");
        // An error that says nothing would always be right.
        assert!(widest < 0.07, "{widest}");
    }
}
