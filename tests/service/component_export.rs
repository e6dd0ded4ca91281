//! `media-cache component export`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use media_cache::embedded;
use media_cache_test_support::command::run_blocking;
use media_cache_test_support::sha256::sha256;
use serde_json::Value;

/// Exports to a directory.
fn export(directory: &Path) {
    let printed = run_blocking(&["component", "export", directory.to_str().unwrap()], &[]).succeeded_silently();
    assert!(printed.contains("README.md"), "{printed}");
}

/// All files below a directory, by path.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut pending) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(directory) = pending.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                pending.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn export_contains_everything_that_its_manifest_describes() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("new/components");
    let printed = run_blocking(&["component", "export", "--json", directory.to_str().unwrap()], &[]).succeeded_silently();
    let mut files = files(&directory);
    let manifest: Value = serde_json::from_slice(&files.remove("manifest.json").unwrap()).unwrap();
    let rows = manifest["files"].as_array().unwrap();
    let mut printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed.as_object_mut().unwrap().remove("directory").unwrap(), directory.to_str().unwrap());
    assert_eq!(printed, manifest);

    assert_eq!(rows.iter().map(|row| row["path"].as_str().unwrap()).collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (row, (path, bytes)) in rows.iter().zip(&files) {
        assert_eq!(
            (row["bytes"].as_u64().unwrap(), row["sha256"].as_str().unwrap()),
            (bytes.len() as u64, &*sha256(bytes)),
            "{path}"
        );
        for key in ["name", "version", "license", "description"] {
            assert!(!row[key].as_str().unwrap().is_empty(), "{path}: {key}");
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(files[&format!("media-cache-{version}.wasm")], embedded::CACHE);
    for (name, component) in embedded::POLICIES {
        assert_eq!(files[&format!("policies/{name}-{version}.wasm")], *component);
    }
    for path in
        ["LICENSE-APACHE", "LICENSE-MIT", "wit/cache/world.wit", "wit/cache/deps/policy/eviction.wit", "wit/policy/world.wit"]
    {
        assert!(files.contains_key(path), "{path}");
    }
    let readme = String::from_utf8(files["README.md"].clone()).unwrap();
    assert!(readme.contains(&format!("policies/lru-{version}.wasm")) && !readme.contains("{{"), "{readme}");
}

#[test]
fn contract_in_the_manifest_is_what_the_component_exports() {
    let directory = tempfile::tempdir().unwrap();
    export(directory.path());
    let files = files(directory.path());
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let engine = wasmtime::Engine::default();
    let mut checked = 0;
    for row in manifest["files"].as_array().unwrap() {
        let path = row["path"].as_str().unwrap();
        if path.ends_with(".wasm") {
            let component = wasmtime::component::Component::new(&engine, &files[path]).unwrap();
            let exports: Vec<_> = component.component_type().exports(&engine).map(|(name, _)| name.to_owned()).collect();
            let (package, version) = (row["contract"]["package"].as_str().unwrap(), row["contract"]["version"].as_str().unwrap());
            let implements = |name: &String| name.starts_with(&format!("{package}/")) && name.ends_with(&format!("@{version}"));
            assert!(exports.iter().any(implements), "{path}: {exports:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, 1 + embedded::POLICIES.len());
}

#[test]
fn every_export_is_the_same() {
    let root = tempfile::tempdir().unwrap();
    let directories = ["one", "two"].map(|name| root.path().join(name));
    directories.iter().for_each(|directory| export(directory));
    assert!(files(&directories[0]) == files(&directories[1]));
}

#[test]
fn export_replaces_an_earlier_one_even_if_that_was_interrupted() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path();
    export(directory);
    let expected = files(directory);
    // An export of another version, in which one file is missing and another is incomplete.
    let manifest = String::from_utf8(expected["manifest.json"].clone()).unwrap();
    let current = format!("lru-{}.wasm", env!("CARGO_PKG_VERSION"));
    fs::write(directory.join("manifest.json"), manifest.replace(&current, "lru-0.0.1.wasm")).unwrap();
    fs::rename(directory.join("policies").join(&current), directory.join("policies/lru-0.0.1.wasm")).unwrap();
    fs::remove_file(directory.join("wit/policy/world.wit")).unwrap();
    fs::write(directory.join("README.md"), "").unwrap();
    export(directory);
    let found = files(directory);
    assert_eq!(found.keys().collect::<BTreeSet<_>>(), expected.keys().collect());
    assert!(found == expected);
}

#[test]
fn directory_with_other_contents_is_refused_and_left_unchanged() {
    let root = tempfile::tempdir().unwrap();
    let refused = |directory: &Path, name: &str| {
        let before = files(directory);
        let said = run_blocking(&["component", "export", directory.to_str().unwrap()], &[]).failed();
        assert!(said.contains(&format!("{name:?}")) && said.contains("name a new or empty directory"), "{said}");
        assert!(files(directory) == before);
    };
    let cases: [(&str, &[u8]); 4] =
        [("README.md", b"mine"), ("manifest.json", b"{}"), ("manifest.json", br#"{"format": 1}"#), ("deep/wit", b"")];
    for (at, (name, bytes)) in cases.into_iter().enumerate() {
        let path = root.path().join(at.to_string()).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        refused(&root.path().join(at.to_string()), name);
    }

    let exported = root.path().join("exported");
    export(&exported);
    fs::write(exported.join("policies/mine.wasm"), "").unwrap();
    refused(&exported, "policies/mine.wasm");
    fs::remove_file(exported.join("policies/mine.wasm")).unwrap();
    let theirs = root.path().join("theirs");
    fs::write(&theirs, "precious").unwrap();
    fs::remove_file(exported.join("README.md")).unwrap();
    symlink(&theirs, exported.join("README.md")).unwrap();
    refused(&exported, "README.md");
    assert_eq!(fs::read(&theirs).unwrap(), b"precious");
}
