//! Checks that the WIT packages are compatible with their releases, which are copied in `released`.
//!
//! A component that was built for a release runs in a host with the current packages, and a host that was built for a release finds
//! every function that it calls. Items marked `@unstable` are exempt. `released/README.md` describes how a release adds a copy.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wit_component::semver_check;
use wit_parser::{Resolve, WorldId, WorldItem};

use crate::{PACKAGES, load, wit};

/// The releases with which the current packages must be compatible: those with the same minor version.
fn releases() -> Vec<PathBuf> {
    let version = version(&wit());
    let releases = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("released")).unwrap().map(|entry| entry.unwrap().path());
    releases.filter(|release| release.is_dir() && minor(&self::version(release)) == minor(&version)).collect()
}

/// The version of the package for the cache. It changes whenever the version of the package for policies does, which it imports.
fn version(packages: &Path) -> String {
    let (resolve, package) = load(&packages.join("cache"), false);
    resolve.packages[package].name.version.as_ref().unwrap().to_string()
}

/// The part of a version that determines compatibility, such as `0.2`.
fn minor(version: &str) -> &str {
    version.rsplit_once('.').unwrap().0
}

/// Compares all worlds of a release with those of the packages in `present`, and returns the first incompatibility.
fn compare(release: &Path, present: &Path) -> Result<(), String> {
    for directory in PACKAGES {
        let (mut old, old_package) = load(&release.join(directory), false);
        let (mut resolve, package) = load(&present.join(directory), false);
        let worlds = old.packages[old_package].worlds.clone();
        assert!(!worlds.is_empty());
        mark_as_released(&mut old);
        let merged = resolve.merge(old).unwrap();
        for (name, world) in worlds {
            let old = merged.worlds[world.index()].unwrap();
            let new = *resolve.packages[package].worlds.get(&name).ok_or_else(|| format!("world {name} is missing"))?;
            if let Some(function) = removed_exports(&resolve, old, new).first() {
                return Err(format!("{name}: {function} is missing"));
            }
            semver_check(resolve.clone(), old, new).map_err(|error| format!("{name}: {error:#}"))?;
        }
    }
    Ok(())
}

/// Changes the versions of the project's packages, so that one `Resolve` can contain them twice. The comparison ignores versions.
fn mark_as_released(resolve: &mut Resolve) {
    for (id, package) in resolve.packages.iter_mut().filter(|(_, package)| package.name.namespace == "media-cache") {
        resolve.package_names.swap_remove(&package.name);
        package.name.version = package.name.version.as_ref().map(|version| format!("{version}-released").parse().unwrap());
        resolve.package_names.insert(package.name.clone(), id);
    }
}

/// The functions that the old world exports and the new one does not, such as `cache.get`.
fn removed_exports(resolve: &Resolve, old: WorldId, new: WorldId) -> Vec<String> {
    let exports = |world: WorldId| {
        let interfaces = resolve.worlds[world].exports.values().filter_map(|item| match item {
            WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
            _ => None,
        });
        let paths = |interface: &wit_parser::Interface| {
            let name = interface.name.clone().unwrap_or_default();
            interface.functions.keys().map(move |function| format!("{name}.{function}")).collect::<Vec<_>>()
        };
        interfaces.flat_map(paths).collect::<Vec<_>>()
    };
    let remaining = exports(new);
    exports(old).into_iter().filter(|function| !remaining.contains(function)).collect()
}

#[test]
fn packages_are_compatible_with_their_releases() {
    let releases = releases();
    // The first release of a minor version has no earlier release to be compatible with.
    assert!(!releases.is_empty() || version(&wit()).ends_with(".0"));
    for release in releases {
        assert_eq!(compare(&release, &wit()), Ok(()), "with {}", release.display());
    }
}

#[test]
fn changed_packages_have_a_different_version_from_their_release() {
    for release in releases().iter().filter(|release| version(release) == version(&wit())) {
        // Packages that are compatible in both directions differ at most in their documentation.
        assert_eq!(compare(&wit(), release), Ok(()), "raise the version in wit/, which is still that of {}", release.display());
    }
}

#[test]
fn releases_are_named_after_their_version() {
    for release in releases() {
        assert_eq!(release.file_name().unwrap().to_str().unwrap(), version(&release));
    }
}

/// A copy of the current packages in which a text in one file is replaced.
fn edited(file: &str, text: &str, replacement: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for directory in ["policy", "cache", "deps"] {
        fs::create_dir(copy.path().join(directory)).unwrap();
        for entry in fs::read_dir(wit().join(directory)).unwrap().map(|entry| entry.unwrap()) {
            let to = copy.path().join(directory).join(entry.file_name());
            if entry.file_type().unwrap().is_symlink() {
                symlink(fs::read_link(entry.path()).unwrap(), to).unwrap();
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let path = copy.path().join(file);
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(before.matches(text).count(), 1, "{text:?} in {file}");
    fs::write(path, before.replace(text, replacement)).unwrap();
    copy
}

#[test]
fn incompatible_change_is_detected() {
    for (file, text, replacement) in [
        // The type of a function, of an import, and of a record.
        ("policy/eviction.wit", "needed: u64) -> placement;", "needed: u32) -> placement;"),
        ("cache/blobs.wit", "size: func() -> u64;", "size: func() -> u32;"),
        ("policy/eviction.wit", "waiters: u32,", "waiters: u64,"),
        ("policy/eviction.wit", "/// The kind of media.\n    kind: media-kind,", ""),
        // A function that is removed from an export, and from an import.
        ("policy/eviction.wit", "observe: func(events: list<event>);", ""),
        ("cache/blobs.wit", "size: func() -> u64;", ""),
        // A function that old components do not have.
        ("policy/eviction.wit", "describe: func() -> description;", "describe: func() -> description;\n  more: func();"),
    ] {
        let present = edited(file, text, replacement);
        let error = compare(&wit(), present.path()).unwrap_err();
        assert!(error.contains("is missing") || error.contains("not semver-compatible"), "{text:?}: {error}");
    }
}

#[test]
fn compatible_change_is_accepted() {
    for (file, text, replacement) in [
        ("cache/blobs.wit", "size: func() -> u64;", "size: func() -> u64;\n    /// More.\n    more: func();"),
        (
            "policy/eviction.wit",
            "describe: func() -> description;",
            "describe: func() -> description;\n  @unstable(feature = more)\n  more: func();",
        ),
        ("policy/eviction.wit", "/// Describes this component.", "/// Another text."),
    ] {
        let present = edited(file, text, replacement);
        assert_eq!(compare(&wit(), present.path()), Ok(()), "{text:?}");
    }
}
