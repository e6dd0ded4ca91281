//! A component to build, and the metadata in its file.

use std::env;
use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::stamp::{Metadata, stamp};

/// A component to find or build. Directories are relative to the root of the workspace.
#[derive(Clone, Copy, Debug)]
pub struct Component<'a> {
    /// The name of the package.
    pub package: &'a str,
    /// The directory of the package.
    pub directory: &'a str,
    /// The directory of the WIT package with the component's world.
    pub wit: &'a str,
}

impl Component<'_> {
    /// Adds the metadata of the component to its file. The version and the licence are those of the crate that is being built, which
    /// shares them with the whole workspace.
    pub(crate) fn stamp(&self, workspace: &Path, file: &Path) -> Result<(), Error> {
        let of_cargo = |name| env::var(name).map_err(|_| Error::NotABuildScript(name));
        let metadata = Metadata {
            name: self.package.to_owned(),
            version: of_cargo("CARGO_PKG_VERSION")?,
            licenses: of_cargo("CARGO_PKG_LICENSE")?,
            description: description(&workspace.join(self.directory).join("Cargo.toml"))?,
            wit: wit(&workspace.join(self.wit))?,
        };
        stamp_file(file, &metadata)
    }
}

/// Replaces the file with its stamped version. Hard links to the file, which cargo creates, must not change.
fn stamp_file(file: &Path, metadata: &Metadata) -> Result<(), Error> {
    let component = fs::read(file).map_err(|error| Error::Io(file.to_owned(), error))?;
    let stamped = stamp(&component, metadata).ok_or_else(|| Error::NotAComponent(file.to_owned()))?;
    let temporary = file.with_extension("stamped");
    let written = fs::write(&temporary, stamped).and_then(|()| fs::rename(&temporary, file));
    written.map_err(|error| Error::Io(file.to_owned(), error))
}

/// The description in a manifest. It must be on a separate line.
fn description(manifest: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(manifest).map_err(|error| Error::Io(manifest.to_owned(), error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("description = \"")?.strip_suffix('"'));
    line.map(str::to_owned).ok_or_else(|| Error::NoDescription(manifest.to_owned()))
}

/// The files of a WIT package as one text, with its documentation: `world.wit` first, which declares and documents the package,
/// then the others by name.
fn wit(directory: &Path) -> Result<String, Error> {
    let failed = |error| Error::Io(directory.to_owned(), error);
    let entries = fs::read_dir(directory).map_err(failed)?;
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wit"));
    files.sort_by_key(|file| (!file.ends_with("world.wit"), file.clone()));
    let mut text = String::new();
    for file in files {
        let content = fs::read_to_string(&file).map_err(|error| Error::Io(file.clone(), error))?;
        text.push_str(&content);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of the checkout.
    fn workspace() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn wit_of_a_package_is_joined_with_one_package_declaration() {
        let wit = wit(&workspace().join("wit/policy")).unwrap();
        assert!(wit.starts_with("/// The contract between a cache and its eviction policy."), "{wit}");
        assert_eq!(wit.lines().filter(|line| line.starts_with("package ")).count(), 1);
        assert!(wit.contains("world eviction-policy {") && wit.contains("interface eviction {"));
    }

    #[test]
    fn a_description_is_read_from_the_manifest() {
        let manifest = workspace().join("host/component-builder/Cargo.toml");
        assert_eq!(description(&manifest).unwrap(), "Builds components from a build script");
        assert!(matches!(description(&workspace().join("Cargo.toml")), Err(Error::NoDescription(_))));
        assert!(matches!(description(&workspace().join("nowhere.toml")), Err(Error::Io(..))));
    }
}
