//! `media-cache policy test`, as the author of a policy runs it.

use std::path::Path;

use media_cache::embedded;
use media_cache_test_support::command::run_blocking_in;

#[test]
fn report_of_a_passing_policy_has_a_line_per_check_and_a_summary() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine.wasm"), embedded::policy("lru").unwrap()).unwrap();
    let finished = run_blocking_in(directory.path(), &["policy", "test", "mine.wasm"]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.text(), finished.stderr);
    let lines: Vec<&str> = finished.text().lines().collect();
    assert!(lines[0].starts_with("lru ") && lines[0].contains(" (mine.wasm, sha256 "), "{}", lines[0]);
    let (last, checks) = lines[1..].split_last().unwrap();
    assert_eq!(checks.len(), 22);
    assert!(checks.iter().all(|line| line.starts_with("ok    ")), "{}", finished.text());
    assert!(checks[5].starts_with("ok    names only tracked entries, and none twice ("), "{}", checks[5]);
    assert!(last.starts_with("lru: 22 of 22 checks passed in "), "{last}");
}

#[test]
fn report_of_a_failing_policy_has_a_counterexample_and_testing_continues() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("few.wasm"), media_cache_test_components::NAMES_TOO_FEW).unwrap();
    let finished = run_blocking_in(directory.path(), &["policy", "test", "few.wasm", "lru"]);
    assert_eq!(finished.code, Some(1));
    let wrong = "\nFAIL  frees enough when it can\n      sequence: ";
    assert!(
        finished.text().contains(wrong) && finished.text().contains("\n      expected: victims that free "),
        "{}",
        finished.text()
    );
    assert!(finished.text().contains("\n\nlru ") && finished.text().contains("\nlru: 22 of 22 "), "{}", finished.text());
}

#[test]
fn verdicts_can_be_printed_as_json() {
    let finished = run_blocking_in(Path::new("."), &["policy", "test", "--json", "lru"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let verdicts: Vec<serde_json::Value> = finished.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), 22);
    assert_eq!((&verdicts[0]["policy"], &verdicts[0]["outcome"]), (&"lru".into(), &"passed".into()));
    assert_eq!(verdicts[0]["check"], "describes itself");
}

#[test]
fn file_that_is_not_a_policy_is_an_error_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    file("text.wasm", b"a text");
    file("cache.wasm", embedded::CACHE);
    file("reaching.wasm", media_cache_test_components::REACHES_OUT);
    file("module.wasm", b"\0asm\x01\0\0\0");
    let wrong = [
        ("text.wasm", "text.wasm is not WebAssembly"),
        ("cache.wasm", "cache.wasm is not a component of the world `eviction-policy`: "),
        ("reaching.wasm", "reaching.wasm is not a component of the world `eviction-policy`: it imports `wasi:sockets/"),
        ("reaching.wasm", "; in Python, build it with `componentize-py componentize --stub-wasi`, in JavaScript with "),
        ("module.wasm", "module.wasm is a core module, not a component; in Rust, "),
    ];
    for (name, why) in wrong {
        let finished = run_blocking_in(directory.path(), &["policy", "test", "lru", name]);
        assert_eq!((finished.code, finished.text()), (Some(1), ""), "{name}");
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
    let finished = run_blocking_in(directory.path(), &["policy", "test", "none.wasm"]);
    assert!(finished.code != Some(0) && finished.stderr.contains("there is no policy \"none.wasm\""), "{}", finished.stderr);
}

#[test]
fn policy_limit_options_apply_to_the_suite() {
    let finished = run_blocking_in(Path::new("."), &["policy", "test", "--policy-memory-mb", "4", "lru"]);
    assert_eq!(finished.code, Some(1));
    let wrong = "FAIL  handles 200,000 entries\n      it needed more than its limit of 4 MiB of memory\n-     uses at most 1 KiB";
    assert!(finished.text().contains(wrong), "{}", finished.text());
}
