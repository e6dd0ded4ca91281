//! The errors of the command.

use media_cache::embedded;
use media_cache_test_support::random::noise;

use crate::process::{complete_rows, rows, simulate, simulate_input};

const LINES: &str = "0,a,10\n1,b,20\n";

fn complaint(arguments: &[&str], input: &str) -> String {
    simulate_input(&[arguments, &["-"]].concat(), input.as_bytes()).failed_with(1)
}

#[test]
fn error_for_a_line_without_a_size_names_the_line() {
    let said = complaint(&[], "0,a,10\n1,b\n");
    assert!(said.starts_with("media-cache: cannot replay -: line 2: it has 2 fields instead of 3"), "{said}");
    assert!(said.contains("`12.5,https://example.com/1.png,2048`"), "{said}");
}

#[test]
fn error_for_an_invalid_number_names_its_line() {
    let said = complaint(&[], "time,key,size\n0,a,10\n1,b,much\n");
    assert!(said.contains("line 3: \"much\" is not a size"), "{said}");
    let said = complaint(&[], "0,a,10\n-1,b,5\n");
    assert!(said.contains("line 2: \"-1\" is not a time"), "{said}");
}

#[test]
fn random_bytes_are_an_error_and_never_a_panic() {
    let noise = noise(1, 100_000);
    for head in [&b""[..], b"\xfd7zXZ\0", b"\x1f\x8b", b"\x1f\x8b\x08\0", b"\"", b"0,a,1\n0,\"a"] {
        let said = simulate_input(&["-"], &[head, &noise].concat()).failed_with(1);
        assert!(said.starts_with("media-cache: cannot replay -: "), "{said}");
    }
}

#[test]
fn a_trace_without_requests_is_an_error() {
    for empty in ["", "\n\n", "time,key,size\n"] {
        assert_eq!(complaint(&[], empty), "media-cache: cannot replay -: the trace contains no requests\n");
    }
}

#[test]
fn error_for_a_trace_that_cannot_be_read_names_it() {
    let said = simulate(&["/nowhere/trace.csv"]).failed_with(1);
    assert!(said.starts_with("media-cache: cannot open the trace /nowhere/trace.csv: No such file"), "{said}");
    let said = simulate(&["/"]).failed_with(1);
    assert!(said.contains("cannot replay /: reading the trace failed after 0 lines: "), "{said}");
}

#[test]
fn error_for_an_optional_field_says_what_is_valid() {
    for (line, expected) in [
        ("0,a,1,soon", "\"soon\" is not a cost: it must be a whole number of milliseconds, at most 4294967295, or empty"),
        ("0,a,1,,-1", "\"-1\" is not a number of waiters: it must be a whole number, at most 4294967295, or empty"),
        ("0,a,1,,,png", "\"png\" is not a kind of media: it must be image, animation, video, audio or other, or empty"),
    ] {
        let said = complaint(&[], &format!("{line}\n"));
        assert!(said.starts_with(&format!("media-cache: cannot replay -: line 1: {expected}; a line is")), "{said}");
    }
}

#[test]
fn objective_must_be_valid_and_computable_from_the_trace() {
    let said = simulate(&["--objective", "bytes=20", "-"]).failed_with(2);
    assert!(said.contains("\"20\" is not a valid amount of bytes: give a number with a unit"), "{said}");
    let said = complaint(&["--objective", "wait"], LINES);
    assert_eq!(
        said,
        "media-cache: the objective counts waiting, but the trace has no costs, which are the fourth field of a line\n"
    );
}

#[test]
fn error_for_an_unknown_policy_lists_the_policies() {
    let said = simulate(&["--policy", "lfu", "-"]).failed_with(2);
    assert!(said.contains("there is no policy \"lfu\"") && said.contains(&embedded::policy_names().join(", ")), "{said}");
}

#[test]
fn unknown_or_invalid_policy_option_is_refused_before_the_replay() {
    let said = complaint(&["--policy", "lru", "--policy", "gdsf:gamma=1"], LINES);
    assert!(said.starts_with("media-cache: gdsf: gdsf has no option \"gamma\"; valid options: beta"), "{said}");
    let said = complaint(&["--policy", "gdsf:beta=7"], LINES);
    assert!(said.contains("beta is \"7\"; it has to be a number from 0 to 1"), "{said}");
}

#[test]
fn error_for_an_invalid_capacity_describes_a_valid_one() {
    for wrong in ["0", "much", "5 apples", "1KiB,,2KiB"] {
        let said = simulate(&["--capacity", wrong, "-"]).failed_with(2);
        assert!(
            said.contains("is not a valid size: give a number of bytes, at least 1, such as 500000, or a number with a unit"),
            "{said}"
        );
    }
}

#[test]
fn error_for_a_file_that_is_not_a_policy_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.wasm");
    std::fs::write(&path, "not at all").unwrap();
    let said = complaint(&["--policy", path.to_str().unwrap()], LINES);
    assert!(said.contains("mine.wasm is not WebAssembly"), "{said}");
}

#[test]
fn error_for_a_plot_that_cannot_be_written_names_it() {
    let said = complaint(&["--plot", "/nowhere/curves.svg"], LINES);
    let expected = "the directory /nowhere does not exist; create it, or give --plot a file in another one";
    assert_eq!(said, format!("media-cache: cannot write /nowhere/curves.svg: {expected}\n"));
    let said = complaint(&["--plot", "/dev/null/curves.svg"], LINES);
    assert!(said.ends_with("/dev/null is not a directory; give --plot a file in a directory\n"), "{said}");
}

#[test]
fn plot_that_is_not_svg_is_refused_before_the_replay() {
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

    /// Replays a trace through a component and through LRU.
    fn beside_lru(component: &[u8]) -> CommandOutput {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine.wasm");
        std::fs::write(&path, component).unwrap();
        let arguments = ["--json", "--capacity", "9000", "--policy", path.to_str().unwrap(), "--policy", "lru", "-"];
        simulate_input(&arguments, csv(&requests(3000, 5)).as_bytes())
    }

    #[test]
    fn policy_that_faults_has_a_row_with_its_error_and_the_others_complete() {
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
    fn policy_that_names_too_few_victims_falls_back_to_lru_victims() {
        let rows = complete_rows(beside_lru(components::NAMES_TOO_FEW));
        assert_eq!(rows[0]["shortfalls"], rows[0]["evictions"]);
        for name in ["object_misses", "missed_bytes", "bytes_written", "evictions"] {
            assert_eq!(rows[0][name], rows[1][name], "{name}");
        }
    }

    #[test]
    fn unknown_victims_are_counted_as_rejected_ids() {
        let rows = complete_rows(beside_lru(components::NAMES_STRANGERS));
        assert!(rows[0]["rejected_ids"].as_u64().unwrap() > 1000);
        assert_eq!((&rows[0]["object_misses"], &rows[1]["rejected_ids"]), (&rows[1]["object_misses"], &().into()));
    }

    #[test]
    fn policy_that_admits_nothing_misses_every_request() {
        for component in [components::REFUSES, components::NAMES_THE_CANDIDATE] {
            let rows = complete_rows(beside_lru(component));
            assert_eq!((&rows[0]["object_misses"], &rows[0]["bytes_written"]), (&3000.into(), &0.into()));
        }
    }
}
