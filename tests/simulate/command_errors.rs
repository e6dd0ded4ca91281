//! The errors of the command.

use media_cache::embedded;
use media_cache_test_support::random::noise;

use crate::process::{complete_rows, rows, simulate, simulate_input};

const LINES: &str = "0,a,10\n1,b,20\n";

fn complaint(arguments: &[&str], input: &str) -> String {
    simulate_input(&[arguments, &["-"]].concat(), input.as_bytes()).failed_with(1)
}

#[test]
fn a_line_without_a_size_is_named() {
    let said = complaint(&[], "0,a,10\n1,b\n");
    assert!(said.starts_with("media-cache: cannot replay -: line 2: it has 2 of the 3 fields"), "{said}");
    assert!(said.contains("`12.5,https://example.com/1.png,2048`"), "{said}");
}

#[test]
fn a_line_with_something_else_for_a_number_is_named() {
    let said = complaint(&[], "time,key,size\n0,a,10\n1,b,much\n");
    assert!(said.contains("line 3: \"much\" is not a size"), "{said}");
    let said = complaint(&[], "0,a,10\n-1,b,5\n");
    assert!(said.contains("line 2: \"-1\" is not a time"), "{said}");
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let noise = noise(1, 100_000);
    for head in [&b""[..], b"\xfd7zXZ\0", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"\"", b"0,a,1\n0,\"a"] {
        let said = simulate_input(&["-"], &[head, &noise].concat()).failed_with(1);
        assert!(said.starts_with("media-cache: cannot replay -: "), "{said}");
    }
}

#[test]
fn a_trace_without_requests_is_an_error() {
    for empty in ["", "\n\n", "time,key,size\n"] {
        assert_eq!(complaint(&[], empty), "media-cache: cannot replay -: there is no request in the trace\n");
    }
}

#[test]
fn a_trace_that_is_not_there_is_named() {
    let said = simulate(&["/nowhere/trace.csv"]).failed_with(1);
    assert!(said.starts_with("media-cache: cannot open /nowhere/trace.csv: No such file"), "{said}");
    let said = simulate(&["/"]).failed_with(1);
    assert!(said.contains("cannot replay /: the trace cannot be read"), "{said}");
}

#[test]
fn an_unknown_policy_is_told_those_that_there_are() {
    let said = simulate(&["--policy", "lfu", "-"]).failed_with(2);
    assert!(said.contains("there is no policy \"lfu\"") && said.contains(&embedded::policy_names().join(", ")), "{said}");
}

#[test]
fn an_unknown_option_is_told_those_that_there_are_before_anything_is_replayed() {
    let said = complaint(&["--policy", "lru", "--policy", "gdsf:gamma=1"], LINES);
    assert!(said.starts_with("media-cache: gdsf: gdsf has no option \"gamma\"; it has beta"), "{said}");
    let said = complaint(&["--policy", "gdsf:beta=7"], LINES);
    assert!(said.contains("beta is \"7\"; it has to be a number from 0 to 1"), "{said}");
}

#[test]
fn a_capacity_that_is_none_is_told_what_would_do() {
    for wrong in ["0", "much", "5 apples", "1KiB,,2KiB"] {
        let said = simulate(&["--capacity", wrong, "-"]).failed_with(2);
        assert!(
            said.contains("is not a size of at least 1 byte: it takes a number of bytes, such as 500000, or one with a unit"),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_is_no_policy_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.wasm");
    std::fs::write(&path, "not at all").unwrap();
    let said = complaint(&["--policy", path.to_str().unwrap()], LINES);
    assert!(said.contains("mine.wasm is not WebAssembly"), "{said}");
}

#[test]
fn a_picture_that_cannot_be_written_is_named() {
    let said = complaint(&["--plot", "/nowhere/curves.svg"], LINES);
    assert!(said.starts_with("media-cache: cannot write /nowhere/curves.svg: "), "{said}");
}

#[test]
fn a_picture_that_is_not_svg_is_refused_before_anything_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["curves.png", "curves", "curves.svg.pdf"] {
        let plot = directory.path().join(name);
        let said = simulate(&["--plot", plot.to_str().unwrap(), "/nowhere/trace.csv"]).failed_with(2);
        assert!(said.contains("curves are written as SVG; give a file whose name ends in .svg"), "{said}");
        assert!(!plot.exists());
    }
}

/// Hostile components.
mod hostile {
    use super::*;
    use media_cache_test_components as components;
    use media_cache_test_support::command::CommandOutput;

    use crate::generated::{csv, requests};

    /// Replays through a component, next to LRU.
    fn beside_lru(component: &[u8]) -> CommandOutput {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine.wasm");
        std::fs::write(&path, component).unwrap();
        let arguments = ["--json", "--capacity", "9000", "--policy", path.to_str().unwrap(), "--policy", "lru", "-"];
        simulate_input(&arguments, csv(&requests(3000, 5)).as_bytes())
    }

    #[test]
    fn a_policy_that_breaks_off_has_a_row_that_says_so_and_the_others_go_on() {
        for component in [components::TRAPS, components::LOOPS] {
            let finished = beside_lru(component);
            assert_eq!(finished.code, Some(1));
            let rows = rows(finished.text());
            let error = rows[0]["error"].as_str().unwrap();
            assert!(rows[0]["requests"].as_u64().unwrap() < 3000);
            assert!(rows[1]["error"].is_null() && rows[1]["requests"] == 3000);
            assert!(finished.stderr.contains("mine.wasm at 8.79 KiB stopped at request "), "{}", finished.stderr);
            assert!(finished.stderr.trim_end().ends_with(error), "{}", finished.stderr);
        }
    }

    #[test]
    fn a_policy_that_names_too_few_is_made_up_for_and_counts_what_lru_counts() {
        let rows = complete_rows(beside_lru(components::NAMES_TOO_FEW));
        assert_eq!(rows[0]["shortfalls"], rows[0]["evictions"]);
        for name in ["object_misses", "missed_bytes", "bytes_written", "evictions"] {
            assert_eq!(rows[0][name], rows[1][name], "{name}");
        }
    }

    #[test]
    fn answers_that_cannot_be_are_counted() {
        let rows = complete_rows(beside_lru(components::NAMES_STRANGERS));
        assert!(rows[0]["rejected_ids"].as_u64().unwrap() > 1000);
        assert_eq!((&rows[0]["object_misses"], &rows[1]["rejected_ids"]), (&rows[1]["object_misses"], &().into()));
    }

    #[test]
    fn a_policy_that_keeps_nothing_misses_everything() {
        for component in [components::REFUSES, components::NAMES_THE_CANDIDATE] {
            let rows = complete_rows(beside_lru(component));
            assert_eq!((&rows[0]["object_misses"], &rows[0]["bytes_written"]), (&3000.into(), &0.into()));
        }
    }
}
