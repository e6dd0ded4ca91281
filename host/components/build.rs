//! Finds or builds the components that the library embeds, and lists the files of their WIT packages.

use std::path::{Path, PathBuf};
use std::{env, fs};

use media_cache_component_builder::{Component, Error, Metadata, file_name, find_or_build, report};

/// The policies, beginning with the default. The package of each is `guest/policies/NAME`. This is the only list of them.
const POLICIES: [&str; 6] = ["lru", "sieve", "s3-fifo", "gdsf", "w-tinylfu", "hazard"];

/// The package of the cache.
const CACHE: &str = "media-cache-component";

/// The directories of the WIT packages. Each contains its dependencies.
const WIT_PACKAGES: [&str; 2] = ["cache", "policy"];

fn main() {
    report(provide());
}

fn provide() -> Result<(), Error> {
    let names = POLICIES.map(|name| (format!("media-cache-policy-{name}"), format!("guest/policies/{name}")));
    let mut components = vec![Component { package: CACHE, directory: "guest/cache", wit: "wit/cache" }];
    components.extend(names.iter().map(|(package, directory)| Component { package, directory, wit: "wit/policy" }));
    let directory = find_or_build(&components, &["guest", "wit"])?;
    println!("cargo::rustc-env=COMPONENTS={}", directory.display());

    // Expressions for `include!`: pairs of name and component, the metadata of all components, and pairs of path and WIT.
    let files = names.map(|(package, _)| directory.join(file_name(&package)));
    let pairs = POLICIES.iter().zip(&files).map(|(name, file)| format!("({name:?}, include_bytes!({file:?}).as_slice()),\n"));
    write("policies.rs", pairs)?;
    let components = [directory.join(file_name(CACHE))].into_iter().chain(files);
    let metadata: Vec<_> = components.map(|file| metadata(&file)).collect::<Result<_, _>>()?;
    write("metadata.rs", metadata.into_iter())?;
    write("wit.rs", wit_files()?.into_iter().map(|(path, file)| format!("({path:?}, include_str!({file:?})),\n")))
}

/// Writes a slice expression to a file in the output directory.
fn write(name: &str, items: impl Iterator<Item = String>) -> Result<(), Error> {
    let output = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join(name);
    fs::write(&output, format!("&[\n{}]\n", items.collect::<String>())).map_err(|error| Error::Io(output, error))
}

/// The metadata of a component, as an item of a slice expression.
fn metadata(file: &Path) -> Result<String, Error> {
    let component = fs::read(file).map_err(|error| Error::Io(file.to_owned(), error))?;
    let Some(metadata) = Metadata::of(&component) else { return Ok("None,\n".into()) };
    let contract = metadata.contract().unwrap_or_default();
    let Metadata { name, version, licenses, description, .. } = &metadata;
    Ok(format!(
        "Some(Metadata {{ name: {name:?}, version: {version:?}, license: {licenses:?}, description: {description:?}, \
         contract: {contract:?} }}),\n"
    ))
}

/// The paths of all WIT files in this crate, sorted, relative to `wit` and absolute.
fn wit_files() -> Result<Vec<(String, PathBuf)>, Error> {
    let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("wit");
    let mut files = Vec::new();
    let mut pending: Vec<_> = WIT_PACKAGES.iter().map(|name| ((*name).to_owned(), root.join(name))).collect();
    while let Some((path, file)) = pending.pop() {
        println!("cargo::rerun-if-changed={}", file.display());
        if file.is_dir() {
            let entries = fs::read_dir(&file).map_err(|error| Error::Io(file.clone(), error))?;
            for entry in entries {
                let entry = entry.map_err(|error| Error::Io(file.clone(), error))?;
                pending.push((format!("{path}/{}", entry.file_name().to_string_lossy()), entry.path()));
            }
        } else if path.ends_with(".wit") {
            files.push((path, file));
        }
    }
    files.sort();
    Ok(files)
}
