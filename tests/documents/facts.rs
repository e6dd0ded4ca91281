//! Checks that everything the documents list exists, and that everything that exists is listed.

use std::path::{Path, PathBuf};

use media_cache_test_support::command::run_blocking;
use media_cache_test_support::workspace::{workspace_file, workspace_path};

/// The problem codes in a source file, each of which follows a status.
fn problem_codes(source: &str) -> Vec<&str> {
    let code = source.split_once("#[cfg(test)]").map_or(source, |(code, _)| code);
    let rests = code.split("StatusCode::").skip(1).filter_map(|rest| rest.split_once(','));
    let after_status = rests.filter(|(status, _)| status.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'));
    let quoted = after_status.filter_map(|(_, rest)| rest.trim_start().strip_prefix('"')?.split_once('"'));
    quoted.map(|(code, _)| code).collect()
}

#[test]
fn every_problem_code_is_documented() {
    let page = workspace_file("docs/http.md");
    let sources = ["host/server/src", "host/requests/src"].map(|path| rust_files(&workspace_path(path))).concat();
    let texts: Vec<String> = sources.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let codes: Vec<&str> = texts.iter().flat_map(|text| problem_codes(text)).collect();
    assert!(codes.len() > 40, "{codes:?}");
    for (name, status) in media_cache::FailureKind::ALL.map(|kind| (kind.name(), kind.status())) {
        let row = page.lines().find(|line| line.starts_with(&format!("| {status} |")) && line.contains(&format!("`{name}`")));
        assert!(row.is_some(), "{status} {name} is not in docs/http.md");
    }
    for code in codes {
        assert!(page.contains(&format!("`{code}`")), "{code} is not in docs/http.md");
    }
}

#[test]
fn files_named_in_the_architecture_document_exist() {
    let page = workspace_file("docs/architecture.md");
    let files = ["guest", "host"].map(|path| rust_files(&workspace_path(path))).concat();
    let named: Vec<&str> = page.split('`').filter(|text| text.ends_with(".rs")).collect();
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        assert!(files.iter().any(|file| file.ends_with(name)), "{name} is in docs/architecture.md and nowhere else");
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn the_documents_list_every_policy_and_every_kind_of_failure() {
    let (readme, policies, keys) =
        (workspace_file("README.md"), workspace_file("docs/policies.md"), workspace_file("docs/keys.md"));
    for name in media_cache::embedded::policy_names() {
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in the README");
        assert!(
            policies.contains(&format!("| [`{name}`](../guest/policies/{name}/src/lib.rs) |")),
            "{name} is not in docs/policies.md"
        );
    }
    for kind in media_cache::FailureKind::ALL {
        let row = format!("| `{kind}` | {} |", kind.status());
        assert!(keys.contains(&row), "{row} is not in docs/keys.md");
    }
}

#[test]
fn every_check_of_the_conformance_suite_is_documented() {
    let page = workspace_file("docs/policies.md");
    let checks = run_blocking(&["policy", "test", "lru", "--json"], &[]).succeeded_text();
    assert!(checks.lines().count() > 15, "{checks}");
    for check in checks.lines().map(|check| serde_json::from_str::<serde_json::Value>(check).unwrap()) {
        let row = format!("\n| {} |", check["check"].as_str().unwrap());
        assert!(page.contains(&row), "docs/policies.md has no row {row:?}");
    }
}
