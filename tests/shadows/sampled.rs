//! Samples: the stated errors are right, and the allowance is never exceeded.

use media_cache_shadows::SamplingRate;

use crate::counts::media;
use crate::live::{Live, options};

/// The true miss ratios, and those estimated from samples with their errors, for all policies and budgets.
#[test]
fn estimates_are_within_their_errors_in_nearly_all_cases() {
    let policies = ["lru", "sieve", "s3-fifo", "gdsf:beta=0.5", "w-tinylfu"];
    let trace = media();
    let figures = |rate: SamplingRate, salt: u64| {
        let mut options = options(&policies);
        options.memory_bytes = 4 << 30;
        options.min_window_requests = 50_000;
        let mut live = Live::new("lru", 512 << 20, options);
        live.feed.set_rate(rate);
        for (number, request) in trace.requests().iter().enumerate() {
            live.request(trace.fingerprint(request.object) ^ salt, request.size);
            if number % 1000 == 0 {
                live.process();
            }
        }
        live.process();
        let report = live.report();
        assert_eq!(report.sampling.rate, rate.fraction());
        let points = report.shadows.into_iter().flat_map(|shadow| shadow.points);
        points.map(|point| {
            let of = |value: Option<f64>| value.unwrap();
            [
                (of(point.object_miss_ratio), of(point.object_miss_ratio_error)),
                (of(point.byte_miss_ratio), of(point.byte_miss_ratio_error)),
            ]
        }).collect::<Vec<_>>()
    };
    let truth = figures(SamplingRate::FULL, 0);
    assert!(truth.iter().flatten().all(|(_, error)| *error == 0.0));
    let mut rate = SamplingRate::FULL;
    for _ in 0..4 {
        rate = rate.halved();
        for kind in 0..2 {
            let (mut within, mut checks, mut widths, mut off) = (0, 0, 0.0, 0.0);
            let mut by_factor = [0; 5];
            for salt in [1, 2, 3, 4] {
                for (at, (estimates, truths)) in figures(rate, salt << 40).iter().zip(&truth).enumerate() {
                    let ((value, error), (true_value, _)) = (estimates[kind], truths[kind]);
                    checks += 1;
                    let ok = (value - true_value).abs() <= error;
                    within += usize::from(ok);
                    by_factor[at % 5] += usize::from(ok);
                    widths += error;
                    off += value - true_value;
                }
            }
            let checks_f = checks as f64;
            println!("{} {kind}: {within} of {checks}, mean error {:.4}, mean bias {:.4} {by_factor:?}", rate.fraction(), widths / checks_f, off / checks_f);
        }
    }
}
