//! Checks the WIT packages as `wasm-tools component wit --all-features` does, and that everything in them is documented.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod compatibility;

use std::path::{Path, PathBuf};

use wasmparser::{Validator, WasmFeatures};
use wit_parser::{Docs, Function, Interface, PackageId, Resolve, Type, TypeDef, TypeDefKind};

/// The directories of the project's own packages. Those in `deps/` are vendored.
const PACKAGES: [&str; 2] = ["policy", "cache"];

/// The directory of the packages.
fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// Loads a package, including items marked `@unstable` if `all_features` is set.
fn load(path: &Path, all_features: bool) -> (Resolve, PackageId) {
    let mut resolve = Resolve { all_features, ..Resolve::default() };
    let (package, _) = resolve.push_dir(path).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    (resolve, package)
}

#[test]
fn packages_are_valid() {
    for directory in PACKAGES {
        let (resolve, package) = load(&wit().join(directory), true);
        let binary = wit_component::encode(&resolve, package).unwrap();
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        validator.validate_all(&binary).unwrap_or_else(|error| panic!("{directory}: {error}"));
    }
}

#[test]
fn embedded_packages_are_complete() {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in media_cache_components::WIT {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    for name in PACKAGES {
        let (embedded, original) = (load(&directory.path().join(name), true), load(&wit().join(name), true));
        let encode = |(resolve, package): (Resolve, PackageId)| wit_component::encode(&resolve, package).unwrap();
        assert!(encode(embedded) == encode(original), "{name}");
    }
}

#[test]
fn every_item_is_documented() {
    for directory in PACKAGES {
        let (resolve, package) = load(&wit().join(directory), true);
        assert_eq!(undocumented(&resolve, package), Vec::<String>::new(), "without documentation in wit/{directory}");
    }
}

/// The paths of all items of a package that have no documentation, such as `cache.media.body`.
fn undocumented(resolve: &Resolve, package: PackageId) -> Vec<String> {
    let package = &resolve.packages[package];
    let mut missing = Missing::default();
    missing.check("package", &package.docs);
    for (name, interface) in &package.interfaces {
        missing.interface(resolve, name, &resolve.interfaces[*interface]);
    }
    for (name, world) in &package.worlds {
        missing.check(name, &resolve.worlds[*world].docs);
    }
    missing.0
}

#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn check(&mut self, path: &str, docs: &Docs) {
        if docs.is_empty() {
            self.0.push(path.to_owned());
        }
    }

    fn interface(&mut self, resolve: &Resolve, name: &str, interface: &Interface) {
        self.check(name, &interface.docs);
        for (type_name, id) in &interface.types {
            let definition = &resolve.types[*id];
            if is_import(resolve, definition) {
                continue;
            }
            let path = format!("{name}.{type_name}");
            self.check(&path, &definition.docs);
            if !mirrors_a_variant(resolve, interface, definition) {
                self.parts(&path, definition);
            }
        }
        for (function, Function { docs, .. }) in &interface.functions {
            self.check(&format!("{name}.{function}"), docs);
        }
    }

    fn parts(&mut self, path: &str, definition: &TypeDef) {
        let parts: Vec<(&str, &Docs)> = match &definition.kind {
            TypeDefKind::Record(record) => record.fields.iter().map(|field| (field.name.as_str(), &field.docs)).collect(),
            TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect(),
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (case.name.as_str(), &case.docs)).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| (flag.name.as_str(), &flag.docs)).collect(),
            _ => Vec::new(),
        };
        for (part, docs) in parts {
            self.check(&format!("{path}.{part}"), docs);
        }
    }
}

/// Whether an enum has exactly the cases of a variant in the same interface, in the same order. They are documented there.
fn mirrors_a_variant(resolve: &Resolve, interface: &Interface, definition: &TypeDef) -> bool {
    let TypeDefKind::Enum(mirror) = &definition.kind else { return false };
    interface.types.values().any(|id| match &resolve.types[*id].kind {
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| &case.name).eq(mirror.cases.iter().map(|case| &case.name)),
        _ => false,
    })
}

/// Whether a type comes from another interface, by `use`. It is documented there.
fn is_import(resolve: &Resolve, definition: &TypeDef) -> bool {
    matches!(definition.kind, TypeDefKind::Type(Type::Id(id)) if resolve.types[id].owner != definition.owner)
}

#[test]
fn items_without_documentation_are_found() {
    let text = "package a:b; interface i { record r { f: u8 } enum e { c } variant v { d(u8), e } enum m { d, e } resource s { m: func(); } g: func(); type t = r; } world w {}";
    let mut resolve = Resolve::default();
    let package = resolve.push_str("a.wit", text).unwrap();
    let found =
        ["package", "i", "i.r", "i.r.f", "i.e", "i.e.c", "i.v", "i.v.d", "i.v.e", "i.m", "i.s", "i.t", "i.[method]s.m", "i.g", "w"];
    assert_eq!(undocumented(&resolve, package), found);
}
