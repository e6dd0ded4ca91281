//! Policies in other languages than Rust: a new project is built by the commands in its README, and the policy passes the conformance suite.
//! `tests/conformance` builds the one in Rust.

use std::os::unix::fs::symlink;

use media_cache_test_skip as skip;
use media_cache_test_support::binary::shell;
use media_cache_test_support::command::{CommandOutput, run_blocking};
use media_cache_test_support::workspace::{workspace_file, workspace_path};

use crate::blocks::{Block, blocks};
use crate::examples::INSTALLING;

/// The directory in which `.ci/run` installs the packages of the templates.
const TOOLS: &str = "target/policy-tools";

/// Creates a project, builds it as its README says, and checks that the policy passes all checks, with each order of the queue. `installed`
/// is the directory that the README's commands create to install packages, and `program` is one of these.
fn builds_and_passes(language: &str, installed: &str, program: &str) {
    let packages = workspace_path(format!("{TOOLS}/{language}/{installed}"));
    if skip::unless(packages.join(program).exists(), &format!("{TOOLS}, which .ci/run installs")) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let parent = directory.path().to_str().unwrap();
    run_blocking(&["policy", "new", "my-policy", "--language", language, "--dir", parent], &[]).succeeded();
    let project = directory.path().join("my-policy");
    symlink(packages.canonicalize().unwrap(), project.join(installed)).unwrap();

    let readme = blocks(&format!("host/cli/templates/policy/{language}/README.md"));
    let build = readme.iter().find(|block| block.language == "sh").unwrap();
    let (skipped, commands): (Vec<_>, Vec<_>) =
        build.lines.iter().partition(|line| INSTALLING.iter().any(|beginning| line.starts_with(beginning)));
    assert!(!skipped.is_empty(), "the README of {language} installs packages");
    let commands = commands.iter().map(|line| line.replace("{{name}}", "my-policy")).collect::<Vec<_>>();
    for commands in [commands.join("\n"), "media-cache policy test my-policy.wasm:order=arrival".into()] {
        // Without a time limit, since compiling an interpreter takes long on a busy machine.
        let printed = CommandOutput::from(shell(&commands).current_dir(&project).output().unwrap()).succeeded_text();
        assert!(printed.contains("my-policy 0.1.0 (my-policy.wasm"), "{printed}");
        assert!(printed.contains("\nmy-policy: 22 of 22 checks passed in "), "{printed}");
    }
}

#[test]
fn policy_in_python_builds_as_its_readme_says_and_passes_all_checks() {
    builds_and_passes("python", "venv", "bin/componentize-py");
}

#[test]
fn policy_in_javascript_builds_as_its_readme_says_and_passes_all_checks() {
    builds_and_passes("javascript", "node_modules", ".bin/componentize-qjs");
}

#[test]
fn policy_in_c_builds_as_its_readme_says_and_passes_all_checks() {
    builds_and_passes("c", "venv", "bin/wasm-tools");
}

#[test]
fn documented_policies_match_the_templates() {
    let files = ["rust/src/queue.rs", "python/eviction.py", "javascript/policy.js", "c/queue.c"];
    let documented: Vec<_> = blocks("docs/policies.md")
        .into_iter()
        .filter(|block| ["rust", "python", "javascript", "c"].contains(&&*block.language))
        .map(|Block { lines, .. }| lines.join("\n"))
        .collect();
    assert_eq!(documented.len(), files.len());
    for (file, documented) in files.iter().zip(documented) {
        let template = workspace_file(format!("host/cli/templates/policy/{file}")).replace("{{name}}", "mine");
        assert_eq!(documented, template.trim_end(), "docs/policies.md differs from {file}");
        assert!(documented.lines().count() < 60, "{file} is too long for the page");
    }
}
