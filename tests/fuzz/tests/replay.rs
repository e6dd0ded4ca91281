//! Runs each property on every file of its corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use media_cache_properties::PROPERTIES;

/// The maximum total size of all corpora in the repository, in bytes.
const MOST: u64 = 1 << 20;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names_in(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(fuzz().join(directory)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_property_holds_for_its_corpus() {
    for property in PROPERTIES {
        let corpus = format!("corpus/{}", property.name);
        let files = names_in(&corpus);
        assert!(!files.is_empty(), "{corpus} is empty");
        for file in files {
            let input = fs::read(fuzz().join(&corpus).join(&file)).unwrap();
            // Shown only if the property does not hold.
            println!("{corpus}/{file}");
            (property.check)(&input);
        }
    }
}

#[test]
fn every_property_has_a_target_and_a_corpus() {
    let names: Vec<&str> = PROPERTIES.iter().map(|property| property.name).collect();
    assert_eq!(names_in("fuzz_targets"), names.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    assert_eq!(names_in("corpus"), names);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}

#[test]
fn all_corpora_stay_within_their_total_size_limit() {
    let files = PROPERTIES.iter().flat_map(|property| fs::read_dir(fuzz().join("corpus").join(property.name)).unwrap());
    let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= MOST, "{bytes} bytes");
}
