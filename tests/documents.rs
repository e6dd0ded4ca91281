//! Checks documents against the code: help texts, error codes, the plot in the README, the vendored WIT, and that policies import nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use media_cache_test_support::command::{CommandOutput, run_blocking};
use media_cache_test_support::workspace::{workspace_file, workspace_path};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The page with the help texts.
const HELP: &str = "docs/cli.md";

/// Compares a document with its expected content. With `UPDATE_DOCS=1`, it is written instead.
fn check_document(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(workspace_path(path), expected).unwrap();
    }
    assert!(workspace_file(path) == expected, "{path} is outdated; UPDATE_DOCS=1 cargo test --test documents writes it");
}

/// The commands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, listed)| listed);
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(Into::into).collect()
}

/// Adds the help of a command and its subcommands, as sections.
fn add_help(command: &[String], page: &mut String) {
    let arguments: Vec<&str> =
        command.iter().map(String::as_str).chain([if command.is_empty() { "--help" } else { "-h" }]).collect();
    let help = run_blocking(&arguments, &[]).succeeded_text();
    let name = ["media-cache"].into_iter().chain(command.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.trim()));
    for subcommand in subcommands(&help) {
        add_help(&[command, &[subcommand]].concat(), page);
    }
}

#[test]
fn help_of_every_command_is_documented_as_the_program_prints_it() {
    let page = workspace_file(HELP);
    let (introduction, _) = page.split_once("\n## media-cache\n").unwrap();
    let mut expected = introduction.to_owned();
    add_help(&[], &mut expected);
    assert!(expected.contains("## media-cache policy swap\n"), "{expected}");
    check_document(HELP, &expected);
}

#[test]
fn readme_plot_matches_the_trace_in_the_repository() {
    let (directory, path) = (tempfile::tempdir().unwrap(), "docs/images/miss-ratios.svg");
    let plot = directory.path().join("plot.svg");
    let capacities = "64MiB,128MiB,256MiB,512MiB,1GiB,2GiB,4GiB";
    let trace = workspace_path("tests/data/media.csv.xz");
    let arguments = ["simulate", "--capacity", capacities, "--plot", plot.to_str().unwrap(), trace.to_str().unwrap()];
    run_blocking(&arguments, &[]).succeeded_text();
    check_document(path, &std::fs::read_to_string(plot).unwrap());
    assert!(workspace_file("README.md").contains(path));
}

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
fn vendored_wit_matches_that_of_the_linked_wasmtime_crate() {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--format-version=1", "--offline"]).current_dir(workspace_path(""));
    let metadata = CommandOutput::from(metadata.output().unwrap()).succeeded();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "wasmtime-wasi").unwrap();
    let sources = Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src/p3/wit/deps");
    for file in ["clocks.wit", "filesystem.wit"] {
        let linked = std::fs::read_to_string(sources.join(file)).unwrap();
        assert!(linked == workspace_file(Path::new("wit/deps").join(file)), "{file} differs from {}", sources.display());
    }
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

/// The imports of a component.
fn imports(component: &[u8]) -> Vec<String> {
    let engine = Engine::default();
    let component = Component::new(&engine, component).unwrap();
    component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn policies_import_only_interfaces_that_the_standard_library_needs() {
    let inert = ["wasi:cli/", "wasi:io/"];
    for &(name, component) in media_cache::embedded::POLICIES {
        for import in imports(component) {
            assert!(inert.iter().any(|prefix| import.starts_with(prefix)), "{name}: {import}");
        }
    }
}

#[test]
fn cache_component_imports_neither_network_nor_randomness() {
    let expected = ["media-cache:cache/", "media-cache:policy/", "wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/"];
    let imports = imports(media_cache::embedded::CACHE);
    for import in &imports {
        assert!(expected.iter().any(|prefix| import.starts_with(prefix)), "{import}");
    }
    for own in ["cache/blobs", "cache/downloader", "cache/transcoder", "policy/eviction"] {
        assert!(imports.contains(&format!("media-cache:{own}@0.2.0")), "{own}");
    }
}
