//! The counts match those of libCacheSim 0.3.5 on `tests/data/media.csv.xz`.

use media_cache_test_support::workspace::workspace_path;

use crate::process::{MEDIA, complete_rows, simulate};

const CAPACITIES: [u64; 3] = [134_217_728, 536_870_912, 2_147_483_648];

/// Object misses and missed bytes at each of the capacities.
const COUNTS: [(&str, [(u64, u64); 3]); 4] = [
    ("lru", [(127_043, 35_322_571_602), (98_246, 29_895_916_628), (67_346, 22_725_042_338)]),
    ("sieve", [(115_955, 35_517_391_545), (90_811, 30_326_573_773), (64_608, 23_505_502_668)]),
    ("s3-fifo", [(105_717, 38_085_908_443), (88_394, 31_589_776_173), (62_336, 24_453_863_007)]),
    ("gdsf", [(70_511, 39_438_832_527), (49_964, 35_121_564_317), (41_040, 26_451_930_632)]),
];

#[test]
fn policies_have_the_miss_counts_of_their_published_implementations() {
    let trace = workspace_path(MEDIA);
    let mut arguments = vec!["--json", "--capacity", "134217728,536870912,2147483648"];
    COUNTS.iter().for_each(|(policy, _)| arguments.extend(["--policy", policy]));
    arguments.push(trace.to_str().unwrap());
    let rows = complete_rows(simulate(&arguments));
    let expected = (0..3).flat_map(|at| COUNTS.iter().map(move |(policy, counts)| (*policy, CAPACITIES[at], counts[at])));
    let number = |row: &serde_json::Value, name: &str| row[name].as_u64().unwrap();
    let counted = rows.iter().map(|row| {
        assert_eq!((number(row, "requests"), &row["rejected_ids"], &row["shortfalls"]), (200_000, &().into(), &().into()));
        let misses = (number(row, "object_misses"), number(row, "missed_bytes"));
        (row["policy"].as_str().unwrap(), number(row, "capacity"), misses)
    });
    assert_eq!(counted.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
