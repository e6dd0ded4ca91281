//! The bindings in the template for C are those that wit-bindgen generates from the interface.

use media_cache_test_support::workspace::{workspace_file, workspace_path};
use wit_bindgen_c::Opts;
use wit_bindgen_core::{Files, wit_parser::Resolve};

/// The directory of the bindings.
const BINDINGS: &str = "host/cli/templates/policy/c/bindings";

#[test]
fn bindings_in_the_template_for_c_match_the_interface() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(workspace_path("wit/policy")).unwrap();
    let world = resolve.select_world(&[package], Some("eviction-policy")).unwrap();
    // As in the README of the template.
    let options = Opts {
        no_object_file: true,
        rename: vec![("media-cache:policy/eviction@0.2.0".into(), "eviction".into())],
        rename_world: Some("policy".into()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["policy.c", "policy.h"]);
    for (name, content) in files.iter() {
        let path = format!("{BINDINGS}/{name}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(workspace_path(&path), content).unwrap();
        }
        assert!(workspace_file(&path).as_bytes() == content, "{path} is outdated; UPDATE_DOCS=1 writes it");
    }
}
