//! Checks the documented facts about components: their imports, and the version of the vendored WIT.

use std::path::Path;
use std::process::Command;

use media_cache_test_support::command::CommandOutput;
use media_cache_test_support::workspace::{workspace_file, workspace_path};
use wasmtime::Engine;
use wasmtime::component::Component;

#[test]
fn vendored_wit_matches_that_of_the_linked_wasmtime_crate() {
    let mut metadata = Command::new(env!("CARGO"));
    // Cargo may not have downloaded the packages that only other systems need.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    metadata.args(["metadata", "--format-version=1", "--offline", "--filter-platform", &platform]).current_dir(workspace_path(""));
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

#[test]
fn every_import_of_the_cache_component_is_documented() {
    let page = workspace_file("docs/hosting.md");
    let mut imports = imports(media_cache::embedded::CACHE);
    imports.sort();
    let of_wasi = |version: &str| imports.iter().filter(|name| name.starts_with("wasi:") && name.contains(version)).count();
    assert_eq!((imports.len(), of_wasi("@0.3."), of_wasi("@0.2.")), (24, 5, 13), "{imports:?}");
    for import in imports.iter().filter(|name| name.starts_with("wasi:")) {
        let (interface, version) = import.split_once('@').unwrap();
        let (package, name) = interface.split_once('/').unwrap();
        let by_package = page.contains(&format!("`{package}@{version}`")) && page.contains(&format!("`{name}`"));
        assert!(by_package || page.contains(&format!("`{interface}`")), "{import} is not in docs/hosting.md");
    }
}
