//! What is written down is true: the help in the README, the vendored WIT, and that a policy has nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;
use std::process::Command;

use media_cache_test_support::command::{CommandOutput, run_blocking};
use media_cache_test_support::workspace::{workspace_file, workspace_path};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The commands in comments such as `<!-- media-cache --help -->`, each with the block that follows it.
fn documented_commands(text: &str) -> Vec<(Vec<&str>, &str)> {
    let after_marks = text.split("<!-- media-cache ").skip(1);
    let parts = after_marks.map(|part| {
        let (command, rest) = part.split_once(" -->\n```text\n").unwrap();
        (command.split(' ').collect(), rest.split_once("```").unwrap().0)
    });
    parts.collect()
}

#[test]
fn the_help_in_the_readme_is_what_the_program_prints() {
    let readme = workspace_file("README.md");
    let commands = documented_commands(&readme);
    assert_eq!(commands.len(), 2);
    for (command, documented) in commands {
        let printed = run_blocking(&command, &[]).succeeded_text();
        assert_eq!(documented.trim(), printed.trim(), "media-cache {} prints:\n{printed}", command.join(" "));
    }
}

#[test]
fn the_vendored_wit_is_that_of_the_crate_that_the_host_links() {
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

/// What a component asks its host for.
fn imports(component: &[u8]) -> Vec<String> {
    let engine = Engine::default();
    let component = Component::new(&engine, component).unwrap();
    component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn policies_ask_for_nothing_but_what_the_standard_library_cannot_do_without() {
    let inert = ["wasi:cli/", "wasi:io/"];
    for &(name, component) in media_cache::embedded::POLICIES {
        for import in imports(component) {
            assert!(inert.iter().any(|prefix| import.starts_with(prefix)), "{name}: {import}");
        }
    }
}

#[test]
fn the_cache_asks_for_no_network_and_no_randomness() {
    let expected = ["media-cache:cache/", "media-cache:policy/", "wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/"];
    let imports = imports(media_cache::embedded::CACHE);
    for import in &imports {
        assert!(expected.iter().any(|prefix| import.starts_with(prefix)), "{import}");
    }
    for own in ["cache/blobs", "cache/downloader", "cache/transcoder", "policy/eviction"] {
        assert!(imports.contains(&format!("media-cache:{own}@0.2.0")), "{own}");
    }
}
