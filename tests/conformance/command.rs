//! `media-cache policy test`, as an author runs it.

use std::path::Path;
use std::process::Command;

use media_cache::embedded;

/// What a command left behind.
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary in a directory.
pub fn media_cache(directory: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_media-cache"));
    let output = command.args(arguments).current_dir(directory).env_remove("RUST_LOG").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_policy_that_passes_is_a_line_a_check_and_a_summary() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mine.wasm"), embedded::policy("lru").unwrap()).unwrap();
    let finished = media_cache(directory.path(), &["policy", "test", "mine.wasm"]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(lines[0].starts_with("lru ") && lines[0].contains(" (mine.wasm, sha256 "), "{}", lines[0]);
    let (last, checks) = lines[1..].split_last().unwrap();
    assert_eq!(checks.len(), 22);
    assert!(checks.iter().all(|line| line.starts_with("ok    ")), "{}", finished.stdout);
    assert!(checks[5].starts_with("ok    never names an entry that does not reside, nor one twice ("), "{}", checks[5]);
    assert!(last.starts_with("lru: 22 of 22 checks passed in "), "{last}");
}

#[test]
fn a_policy_that_fails_is_shown_how_and_the_others_are_tested_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("few.wasm"), media_cache_test_components::NAMES_TOO_FEW).unwrap();
    let finished = media_cache(directory.path(), &["policy", "test", "few.wasm", "lru"]);
    assert_eq!(finished.code, Some(1));
    let wrong = "\nFAIL  frees enough when it can\n      sequence: ";
    assert!(
        finished.stdout.contains(wrong) && finished.stdout.contains("\n      expected: victims that free "),
        "{}",
        finished.stdout
    );
    assert!(finished.stdout.contains("\n\nlru ") && finished.stdout.contains("\nlru: 22 of 22 "), "{}", finished.stdout);
}

#[test]
fn verdicts_can_be_had_as_json() {
    let finished = media_cache(Path::new("."), &["policy", "test", "--json", "lru"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let verdicts: Vec<serde_json::Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), 22);
    assert_eq!((&verdicts[0]["policy"], &verdicts[0]["outcome"]), (&"lru".into(), &"passed".into()));
    assert_eq!(verdicts[0]["check"], "says what it is");
}

#[test]
fn what_is_no_policy_is_an_error_that_says_so() {
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
        ("module.wasm", "module.wasm is a core module and not a component"),
    ];
    for (name, why) in wrong {
        let finished = media_cache(directory.path(), &["policy", "test", "lru", name]);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{name}");
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
    let finished = media_cache(directory.path(), &["policy", "test", "none.wasm"]);
    assert!(finished.code != Some(0) && finished.stderr.contains("there is no policy \"none.wasm\""), "{}", finished.stderr);
}

#[test]
fn limits_can_be_set() {
    let finished = media_cache(Path::new("."), &["policy", "test", "--policy-memory-mb", "4", "lru"]);
    assert_eq!(finished.code, Some(1));
    let wrong = "FAIL  copes with 200,000 entries\n      it wanted more than its 4 MiB of memory\n-     takes up 1 KiB";
    assert!(finished.stdout.contains(wrong), "{}", finished.stdout);
}
