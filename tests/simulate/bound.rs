//! The lower bound on the misses of any policy.

use media_cache_simulator::{LowerBound, Trace, lower_bounds};
use media_cache_test_support::workspace::workspace_path;
use proptest::prelude::*;
use serde_json::Value;

use crate::counts::count;
use crate::exhaustive::fewest_misses;
use crate::generated::{csv, requests};
use crate::process::{MEDIA, complete_rows, simulate, simulate_input};
use crate::references::{Gdsf, Lru, Reference, Sieve};

/// The capacity, and the bounds on object misses and missed bytes in `tests/data/media.csv.xz`. A separate implementation of the paper, in
/// Python, computes the same.
const MEDIA_BOUNDS: [(u64, u64, u64); 3] =
    [(134_217_728, 50_768, 26_615_746_629), (536_870_912, 40_703, 20_770_323_909), (2_147_483_648, 39_227, 14_811_750_952)];

fn bound(requests: &[(u64, u64)], capacity: u64) -> LowerBound {
    lower_bounds(&Trace::read(csv(requests).as_bytes()).unwrap(), &[capacity])[0]
}

/// Up to 10 requests for up to 4 objects of constant size.
fn constant_sizes() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let sizes = prop::array::uniform4(1u64..7);
    (sizes, prop::collection::vec(0..4usize, 1..=10))
        .prop_map(|(sizes, keys)| keys.iter().map(|key| (*key as u64, sizes[*key])).collect())
}

/// The same, with a size for each request.
fn changing_sizes() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0u64..4, 1u64..7), 1..=10)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn bound_is_never_above_the_optimum_and_that_is_never_above_a_policy(
        requests in prop_oneof![constant_sizes(), changing_sizes()],
        capacity in 1u64..20,
    ) {
        let (misses, bytes) = (fewest_misses(&requests, capacity, |_| 1), fewest_misses(&requests, capacity, |size| size));
        let bound = bound(&requests, capacity);
        prop_assert!(bound.object_misses <= misses && bound.missed_bytes <= bytes, "{bound:?}, optimum {misses}, {bytes}");
        let references: [Box<dyn Reference>; 3] =
            [Box::new(Lru::new(capacity)), Box::new(Sieve::new(capacity)), Box::new(Gdsf::new(capacity))];
        for mut reference in references {
            let counts = count(&requests, capacity, &mut *reference);
            prop_assert!(misses <= counts.object_misses && bytes <= counts.missed_bytes, "{counts:?}, optimum {misses}, {bytes}");
        }
    }

    #[test]
    fn bound_is_the_optimum_if_all_objects_fit(requests in constant_sizes()) {
        let bound = bound(&requests, 24);
        prop_assert_eq!(bound.object_misses, fewest_misses(&requests, 24, |_| 1));
        prop_assert_eq!(bound.missed_bytes, fewest_misses(&requests, 24, |size| size));
    }
}

fn numbers(value: &Value, names: [&str; 2]) -> [u64; 2] {
    names.map(|name| value[name].as_u64().unwrap())
}

#[test]
fn no_policy_has_fewer_misses_than_the_bound_in_its_row() {
    let trace = csv(&requests(8000, 7));
    let rows = complete_rows(simulate_input(&["--json", "--bound", "--capacity", "1,100,3001,30011,1TiB", "-"], trace.as_bytes()));
    assert_eq!(rows.len(), 5 * media_cache::embedded::policy_names().len());
    for row in &rows {
        let (counts, bounds) = (numbers(row, ["object_misses", "missed_bytes"]), &row["lower_bound"]);
        let bounds = numbers(bounds, ["object_misses", "missed_bytes"]);
        assert!(bounds[0] > 0 && bounds[0] <= counts[0] && bounds[1] <= counts[1], "{row}");
    }
}

#[test]
fn json_has_the_bounds_of_the_media_trace_in_every_row() {
    let trace = workspace_path(MEDIA);
    let arguments = ["--bound", "--json", "--capacity", "2GiB,128MiB,512MiB", "--policy", "lru", "--policy", "sieve"];
    let rows = complete_rows(simulate(&[&arguments[..], &[trace.to_str().unwrap()]].concat()));
    let expected = MEDIA_BOUNDS.iter().flat_map(|(capacity, object_misses, missed_bytes)| {
        let bound = serde_json::json!({ "object_misses": object_misses, "missed_bytes": missed_bytes });
        [(*capacity, bound.clone()), (*capacity, bound)]
    });
    let found = rows.iter().map(|row| (row["capacity"].as_u64().unwrap(), row["lower_bound"].clone()));
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn table_has_a_line_with_the_bound_after_the_policies_of_each_capacity() {
    let trace = csv(&requests(3000, 5));
    let arguments = ["--bound", "--capacity", "1MiB,4KiB", "--policy", "lru", "--policy", "sieve", "-"];
    let table = simulate_input(&arguments, trace.as_bytes()).succeeded_silently();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7, "{table}");
    for (at, capacity, written) in [(3, 4 << 10, "4.00 KiB"), (6, 1 << 20, "1.00 MiB")] {
        let bound = bound(&requests(3000, 5), capacity);
        let (objects, bytes) = (bound.object_miss_ratio() * 100.0, bound.byte_miss_ratio() * 100.0);
        let line = format!("{written} lower bound (PFOO-L) {objects:.2} % {bytes:.2} %");
        assert!(lines[at].split_whitespace().eq(line.split(' ')), "{table}");
        // The ratios are aligned with those of the policies.
        assert_eq!(lines[at].rfind('%'), lines[at - 1].rfind('%'), "{table}");
    }
}

#[test]
fn plot_has_a_dashed_line_with_a_circle_for_the_bound_at_each_capacity() {
    let directory = tempfile::tempdir().unwrap();
    let drawn = |name: &str, arguments: &[&str]| {
        let plot = directory.path().join(name);
        let common = ["--capacity", "4KiB,9000,1MiB", "--policy", "lru", "--plot", plot.to_str().unwrap(), "-"];
        simulate_input(&[arguments, &common].concat(), csv(&requests(3000, 5)).as_bytes()).succeeded_silently();
        std::fs::read_to_string(plot).unwrap()
    };
    let (with, without) = (drawn("with.svg", &["--bound"]), drawn("without.svg", &[]));
    let count = |svg: &str, part: &str| svg.matches(part).count();
    assert_eq!((count(&with, LowerBound::NAME), count(&without, LowerBound::NAME)), (2, 0), "one in each legend");
    assert_eq!((count(&with, "<circle"), count(&without, "<circle")), (12, 6));
    // Each dash is a separate element.
    let dashes = r##"fill="none" opacity="1" stroke="#000000" stroke-width="2""##;
    assert!(count(&with, dashes) > 20 && count(&without, dashes) == 0, "{with}");
}
