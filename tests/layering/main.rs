//! Checks that imports and dependencies point in one direction: between the files of a crate, from each module to those it
//! encloses, and between crates.
//!
//! The checks read source text, so they miss code that macros generate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod cycles;
mod examples;
mod layers;
mod modules;
mod paths;
mod report;
mod test_code;
mod tokens;
mod workspace;

use crate::workspace::Crate;

/// The crates below `guest` and `host`, from the bottom up. A crate may only depend on crates in lower layers; development
/// dependencies are exempt.
const LAYERS: &[&[&str]] = &[
    &["guest/file-names", "guest/key-rules", "guest/policy-structures"],
    &[
        "guest/entry-files",
        "guest/policy-sdk",
        "host/interfaces",
        "host/component-builder",
        "host/gif-to-mp4",
        "host/plot",
        "host/requests",
    ],
    &["guest/policies/*", "guest/cache", "host/components", "host/http-downloader", "host/maintenance", "host/trace"],
    &["host/media-cache"],
    &["host/attach", "host/simulator", "host/conformance", "host/server", "host/tier"],
    &["host/shadows"],
    &["host/cli"],
];

#[test]
fn files_do_not_import_each_other_in_cycles() {
    let found: String = Crate::all().iter().flat_map(Crate::modules).map(|modules| report::cyclic_imports(&modules)).collect();
    assert!(found.is_empty(), "cut at least one import of each cycle (further cycles may become visible):\n\n{found}");
}

#[test]
fn modules_do_not_import_from_enclosing_modules() {
    let found: String = Crate::all().iter().flat_map(Crate::modules).map(|modules| report::upward_imports(&modules)).collect();
    assert!(found.is_empty(), "these files import from an enclosing module, which should only declare and re-export:\n\n{found}");
}

#[test]
fn crates_depend_only_on_lower_layers() {
    let crates = Crate::all().into_iter().map(|found| (found.directory, found.dependencies)).collect();
    let found = layers::misplaced(&crates, LAYERS);
    assert!(found.is_empty(), "these dependencies contradict LAYERS in {}:\n\n{}\n", file!(), found.join("\n"));
}
