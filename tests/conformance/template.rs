//! `media-cache policy new` writes a policy that builds unchanged and fulfils the contract.

use std::path::Path;
use std::process::Command;

use media_cache_test_support::command::run_blocking_in;
use media_cache_test_support::workspace::{workspace_file, workspace_path};

/// The target directory, which is kept so that dependencies are built once, and not in every run.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/policy-template");

/// The lock file of the template.
const LOCK: &str = "host/cli/templates/policy/rust/Cargo.lock.template";

/// Runs cargo in a directory as in a terminal, without variables from the build of these tests.
fn cargo(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(directory);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_") && name != "CARGO_HOME" || name.starts_with("RUSTC") || name == "RUSTFLAGS" {
            command.env_remove(&*name);
        }
    }
    let output = command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", TARGET).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn new_policy_from_the_template_builds_and_passes_its_tests_and_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let made = run_blocking_in(directory.path(), &["policy", "new", "my-policy"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.text().contains("my-policy/README.md"), "{}", made.text());
    let policy = directory.path().join("my-policy");
    // The same versions as in this workspace are available without a network.
    std::fs::copy(workspace_path("Cargo.lock"), policy.join("Cargo.lock")).unwrap();
    cargo(&policy, &["fmt", "--check"]);
    cargo(&policy, &["build", "--release", "--target", "wasm32-wasip2"]);
    let locked = std::fs::read_to_string(policy.join("Cargo.lock")).unwrap().replace("\"my-policy\"", "\"{{name}}\"");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(workspace_path(LOCK), &locked).unwrap();
    }
    assert!(workspace_file(LOCK) == locked, "{LOCK} has other versions than this workspace; UPDATE_DOCS=1 writes it");
    cargo(&policy, &["test", "--release"]);
    let component = "wasm32-wasip2/release/my_policy.wasm";
    let readme = std::fs::read_to_string(policy.join("README.md")).unwrap();
    assert!(readme.contains(&format!("media-cache policy test target/{component}\n")), "{readme}");
    for options in ["", ":order=arrival"] {
        let tested = run_blocking_in(&policy, &["policy", "test", &format!("{TARGET}/{component}{options}")]);
        assert_eq!(tested.code, Some(0), "{}{}", tested.text(), tested.stderr);
        assert!(tested.text().starts_with("my-policy 0.1.0 ("), "{}", tested.text());
    }
}

#[test]
fn policy_new_refuses_an_existing_directory() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("mine")).unwrap();
    let made = run_blocking_in(directory.path(), &["policy", "new", "mine"]);
    assert_eq!(made.code, Some(1));
    assert!(made.stderr.contains("cannot create ./mine: File exists"), "{}", made.stderr);
    assert_eq!(std::fs::read_dir(directory.path().join("mine")).unwrap().count(), 0);
}

#[test]
fn policy_new_writes_to_the_given_directory_and_refuses_an_invalid_name() {
    let directory = tempfile::tempdir().unwrap();
    let made = run_blocking_in(directory.path(), &["policy", "new", "mine", "--dir", "some/where"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(directory.path().join("some/where/mine/wit/eviction.wit").is_file());
    let made = run_blocking_in(directory.path(), &["policy", "new", "Mine"]);
    assert_eq!(made.code, Some(2));
    assert!(made.stderr.contains("all of them a-z, 0-9 or -"), "{}", made.stderr);
    let made = run_blocking_in(directory.path(), &["policy", "new", "match"]);
    assert_eq!(made.code, Some(1));
    assert!(made.stderr.contains("match is a reserved word in Rust; choose another name"), "{}", made.stderr);
    let made = run_blocking_in(directory.path(), &["policy", "new", "match", "--language", "python"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(directory.path().join("match/eviction.py").is_file());
}
