//! At the full rate, shadows count what a replay counts.

use std::fs::File;
use std::num::NonZeroUsize;

use media_cache::policy::{ObservedKind, PolicySpec};
use media_cache_shadows::{FACTORS, ShadowState, Totals};
use media_cache_simulator::{Job, ObjectRequest, Trace, lower_bounds, run};
use media_cache_test_support::workspace::workspace_path;

use crate::live::{ENGINE, Live, options};

const CAPACITY: u64 = 512 << 20;

pub fn media() -> Trace {
    Trace::read(File::open(workspace_path("tests/data/media.csv.xz")).unwrap()).unwrap()
}

#[test]
fn shadows_of_all_budgets_count_what_simulate_counts() {
    let policies = ["lru", "sieve", "s3-fifo", "gdsf:beta=0.5", "w-tinylfu"];
    let trace = media();
    let mut options = options(&policies);
    options.memory_bytes = 4 << 30;
    // One window for the whole trace.
    options.min_window_requests = trace.requests().len() as u64;
    let mut live = Live::new("lru", CAPACITY, options);
    for (number, request) in trace.requests().iter().enumerate() {
        live.request(trace.fingerprint(request.object), request.size);
        // Batches of different sizes.
        if number % (1 + number % 977) == 0 {
            live.process();
        }
    }
    assert!(live.process().is_window_complete || live.report().span.is_some());
    let report = live.report();
    assert_eq!((report.sampling.rate, report.span.unwrap().requests), (1.0, 200_000));
    let capacities: Vec<u64> = report.capacities.iter().map(|capacity| capacity.bytes).collect();
    let jobs: Vec<Job> = policies
        .iter()
        .flat_map(|policy| {
            let choice = policy.parse::<PolicySpec>().unwrap().choose(&ENGINE).unwrap();
            capacities.clone().into_iter().map(move |capacity| Job { choice: choice.clone(), capacity })
        })
        .collect();
    let outcomes = run(&ENGINE, &trace, &jobs, NonZeroUsize::new(2).unwrap(), &|_| {}).unwrap();
    let totals = report.shadows.iter().flat_map(|shadow| shadow.points.iter().map(|point| point.total));
    let expected = outcomes.iter().map(|outcome| outcome.counts);
    let counts: Vec<Totals> = totals.map(|total| Totals { entries: 0, ..total }).collect();
    let expected: Vec<Totals> = expected
        .map(|counts| Totals {
            requests: counts.requests,
            requested_bytes: counts.requested_bytes,
            misses: counts.object_misses,
            missed_bytes: counts.missed_bytes,
            bytes_written: counts.bytes_written,
            evictions: counts.evictions,
            entries: 0,
        })
        .collect();
    assert_eq!(counts, expected);
    // The cache is an LRU with the same capacity.
    let (live_counts, own) = (live.counts(), &report.shadows[0].points[2]);
    assert_eq!(
        (own.factor, own.total.misses, own.total.entries),
        (FACTORS[2], live_counts.object_misses, report.live.unwrap().entries)
    );
    for (bound, expected) in report.bound.iter().zip(lower_bounds(&trace, &capacities)) {
        // The window is sampled for the bound, since it has more requests than are kept.
        assert!((bound.object_miss_ratio - expected.object_miss_ratio()).abs() < 0.01, "{bound:?} {expected:?}");
    }
}

#[test]
fn figures_count_from_the_second_window_on_and_equal_the_cache_for_its_own_policy() {
    let trace = media();
    let mut options = options(&["lru", "gdsf"]);
    options.memory_bytes = 4 << 30;
    options.min_window_requests = 20_000;
    let mut live = Live::new("lru", 64 << 20, options);
    assert_eq!(live.report().span.map(|span| span.windows), None);
    let (mut windows, mut first) = (0, live.counts());
    for request in &trace.requests()[..60_000] {
        live.request(trace.fingerprint(request.object), request.size);
        if live.process().is_window_complete {
            windows += 1;
            if windows == 1 {
                first = live.counts();
                let report = live.report();
                assert_eq!(report.shadows[0].state, ShadowState::Counting);
                assert_eq!(report.shadows[0].points[2].misses, None, "the first window fills the simulated caches");
            }
        }
    }
    assert_eq!(windows, 3);
    let (report, counts) = (live.report(), live.counts());
    let shadow = &report.shadows[0];
    assert!(shadow.is_active && !report.shadows[1].is_active);
    assert_eq!(shadow.points[2].misses, Some((counts.object_misses - first.object_misses) as f64));
    assert_eq!(shadow.points[2].missed_bytes, Some((counts.missed_bytes - first.missed_bytes) as f64));
    assert_eq!((shadow.points[2].object_miss_ratio_error, shadow.points[2].byte_miss_ratio_error), (Some(0.0), Some(0.0)));
    let live_figures = report.live.unwrap();
    assert_eq!((live_figures.misses, live_figures.policy.as_str()), (counts.object_misses, "lru"));
    let advice = report.advice.unwrap();
    assert_eq!(advice.command, "media-cache policy swap gdsf");
    let fewer = 1.0 - report.shadows[1].points[2].misses.unwrap() / shadow.points[2].misses.unwrap();
    assert!((advice.gain - fewer).abs() < 1e-9 && advice.gain > 0.1 && advice.gain_error > 0.0, "{advice:?}");
}

#[test]
fn put_and_restored_entries_are_stored_but_are_not_requests() {
    let mut live = Live::new("lru", 100, options(&["lru"]));
    let object = |fingerprint| ObjectRequest::new(fingerprint, 30, 1);
    live.observe(0, ObservedKind::Restored, &object(1));
    live.observe(1, ObservedKind::Restored, &object(2));
    live.observe(2, ObservedKind::Put, &object(3));
    live.observe(2, ObservedKind::Put, &object(3));
    live.observe(3, ObservedKind::Hit, &object(1));
    live.process();
    let total = |live: &Live, factor: usize| live.report().shadows[0].points[factor].total;
    let counts = |totals: Totals| (totals.requests, totals.misses, totals.entries);
    assert_eq!(counts(total(&live, 2)), (1, 0, 3));
    assert_eq!(counts(total(&live, 1)), (1, 1, 1), "only one of them fits into half of the capacity");
    assert_eq!(counts(total(&live, 0)), (1, 1, 0), "none fits into a quarter of it");
}
