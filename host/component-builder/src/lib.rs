//! Provides WebAssembly components to build scripts.
//!
//! [`find_or_build`] takes them from the first of these places:
//!
//! 1. The directory named by `PREBUILT_COMPONENTS_DIR`. Packagers build the components once and point every build at them.
//! 2. The sources. In a checkout a nested cargo builds them, so a plain `cargo build` is enough.
//! 3. `prebuilt/` in the crate's own directory. Published packages contain it, and build without the WebAssembly target.
//!
//! Components built from source contain their metadata: see [`Component`].
//!
//! Crates that are never published, such as test fixtures, always build from source: [`build_examples`], [`build_with_features`].
//!
//! # The nested build
//!
//! The nested cargo runs `cargo build --locked --profile component --target wasm32-wasip2` in the root of the workspace. Its target
//! directory is in `OUT_DIR`, because the outer cargo holds a lock on its own. It reads the same configuration files as any cargo that is
//! started in the root of the workspace, and gets the variables described in `src/environment.rs`. Options on the outer command line, such
//! as `--offline` and `--config`, do not apply to it. To build without a network, run `cargo fetch --locked` first and set
//! `CARGO_NET_OFFLINE=true`.
//!
//! This crate has no dependencies, so build scripts that use it can start immediately.

mod component;
mod environment;
mod error;
mod prebuilt;
mod stamp;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use component::Component;
pub use error::Error;
pub use prebuilt::PREBUILT_VARIABLE;
pub use stamp::Metadata;

/// The target that components are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// The cargo profile of components.
const PROFILE: &str = "component";

/// The directory that contains the components in published packages, relative to the manifest.
const PACKAGED: &str = "prebuilt";

/// Finds or builds components, and returns the directory that holds them, each in a file called [`file_name`].
///
/// Components built from source get custom sections with the name, version, licence and description of their package, and their WIT with
/// its documentation.
///
/// `sources` are the files and directories that the components are built from, relative to the root of the workspace. The build
/// script runs again when one of them changes. The manifest and the lock file of the workspace are always included.
///
/// # Errors
///
/// Fails if a directory of prebuilt components is incomplete, if there is neither such a directory nor a checkout, if the
/// WebAssembly target is not installed, if the components do not compile, or if a manifest or WIT file cannot be read.
pub fn find_or_build(components: &[Component<'_>], sources: &[&str]) -> Result<PathBuf, Error> {
    let packages: Vec<&str> = components.iter().map(|component| component.package).collect();
    println!("cargo::rerun-if-env-changed={PREBUILT_VARIABLE}");
    match locate(env::var_os(PREBUILT_VARIABLE), &manifest_directory()?)? {
        Location::Sources(workspace) => {
            let selected: Vec<&str> = packages.iter().flat_map(|package| ["--package", package]).collect();
            let directory = build(&workspace, &selected, sources)?;
            check(&directory, &packages)?;
            for component in components {
                component.stamp(&workspace, &directory.join(file_name(component.package)))?;
            }
            Ok(directory)
        }
        Location::Prebuilt(directory) => {
            check(&directory, &packages)?;
            // Watch the files only: the directory may belong to a cargo target directory, and contain many other files.
            packages.iter().for_each(|package| watch(&directory.join(file_name(package))));
            Ok(directory)
        }
    }
}

/// Builds the examples of `package`, each of them a component, and returns the directory that holds them. Each is in a file with the name
/// of the example. `sources` is as for [`find_or_build`].
///
/// # Errors
///
/// Fails if the crate is not in a checkout, if the WebAssembly target is not installed, or if the components do not compile.
pub fn build_examples(package: &str, sources: &[&str]) -> Result<PathBuf, Error> {
    let manifest_directory = manifest_directory()?;
    let workspace = workspace(&manifest_directory).ok_or_else(|| Error::NoSources(manifest_directory.clone()))?;
    Ok(build(workspace, &["--package", package, "--examples"], sources)?.join("examples"))
}

/// Builds the component of `package` with features, and returns its file. `sources` is as for [`find_or_build`].
///
/// # Errors
///
/// As for [`build_examples`].
pub fn build_with_features(package: &str, features: &str, sources: &[&str]) -> Result<PathBuf, Error> {
    let manifest_directory = manifest_directory()?;
    let workspace = workspace(&manifest_directory).ok_or_else(|| Error::NoSources(manifest_directory.clone()))?;
    Ok(build(workspace, &["--package", package, "--features", features], sources)?.join(file_name(package)))
}

/// The name of the file that holds a package's component. Cargo writes the same name, so `target/wasm32-wasip2/component/` can
/// serve as a directory of prebuilt components.
pub fn file_name(package: &str) -> String {
    format!("{}.wasm", package.replace('-', "_"))
}

/// Fails the build with the error of a build script, in the format of cargo's own errors.
///
/// The script must then exit successfully: after a failure, cargo would repeat everything that the script printed.
pub fn report(result: Result<(), Error>) {
    let Err(error) = result else { return };
    for line in error.to_string().lines().filter(|line| !line.is_empty()) {
        println!("cargo::error={line}");
    }
}

/// Where components come from.
#[derive(Debug, PartialEq)]
enum Location {
    /// A directory that holds them.
    Prebuilt(PathBuf),
    /// The root of the workspace that has their sources.
    Sources(PathBuf),
}

/// Chooses where components come from, given the value of [`PREBUILT_VARIABLE`].
fn locate(named: Option<OsString>, manifest_directory: &Path) -> Result<Location, Error> {
    if let Some(named) = named.filter(|named| !named.is_empty()).map(PathBuf::from) {
        // A user would expect it to be relative to the directory in which cargo was started, which is unknown to a build script.
        return if named.is_absolute() { Ok(Location::Prebuilt(named)) } else { Err(Error::Relative(named)) };
    }
    if let Some(workspace) = workspace(manifest_directory) {
        return Ok(Location::Sources(workspace.to_owned()));
    }
    let packaged = manifest_directory.join(PACKAGED);
    if packaged.is_dir() { Ok(Location::Prebuilt(packaged)) } else { Err(Error::NoComponents(manifest_directory.to_owned())) }
}

/// The root of the workspace if the crate is in a checkout: two levels up, with `guest/` in it.
///
/// An unpacked package is never in a checkout, even below or next to one: `cargo package` verifies packages in `target/package/`, and a
/// project with dependencies in `vendor/` may have its own `guest/`. Cargo puts a `Cargo.toml.orig` into every package.
fn workspace(manifest_directory: &Path) -> Option<&Path> {
    let packaged = manifest_directory.join("Cargo.toml.orig").exists();
    manifest_directory.ancestors().nth(2).filter(|root| !packaged && root.join("guest").is_dir())
}

/// Builds the packages or examples that `selected` selects in a workspace, and returns the directory that holds them.
fn build(workspace: &Path, selected: &[&str], sources: &[&str]) -> Result<PathBuf, Error> {
    for source in sources.iter().chain(&["Cargo.toml", "Cargo.lock"]) {
        watch(&workspace.join(source));
    }
    check_target()?;
    let target_directory = PathBuf::from(variable("OUT_DIR")?).join("components");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(workspace).args(["build", "--locked", "--quiet", "--color=never"]).args(selected);
    cargo.args(["--profile", PROFILE, "--target", TARGET, "--target-dir"]).arg(&target_directory);
    environment::clean(&mut cargo);
    let output = cargo.output().map_err(|error| Error::NotStarted("cargo", error))?;
    if !output.status.success() {
        return Err(Error::BuildFailed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(target_directory.join(TARGET).join(PROFILE))
}

/// Fails if a directory lacks the component of one of the packages.
fn check(directory: &Path, packages: &[&str]) -> Result<(), Error> {
    let files = packages.iter().map(|package| file_name(package));
    let missing: Vec<String> = files.filter(|file| !directory.join(file).is_file()).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Incomplete { directory: directory.to_owned(), missing }) }
}

/// Fails if the standard library for the target is not installed. Otherwise cargo would report this as an error in the first crate that it
/// compiles.
fn check_target() -> Result<(), Error> {
    let mut rustc = Command::new(variable("RUSTC")?);
    environment::clean(&mut rustc);
    let output = rustc.args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = output.map_err(|error| Error::NotStarted("rustc", error))?;
    let directory = String::from_utf8_lossy(&output.stdout);
    if Path::new(directory.trim()).is_dir() { Ok(()) } else { Err(Error::TargetMissing(TARGET)) }
}

/// Makes the build script run again when `path` changes. A missing path would make it run every time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn manifest_directory() -> Result<PathBuf, Error> {
    variable("CARGO_MANIFEST_DIR").map(PathBuf::from)
}

/// A variable that cargo sets for build scripts.
fn variable(name: &'static str) -> Result<OsString, Error> {
    env::var_os(name).ok_or(Error::NotABuildScript(name))
}

#[cfg(test)]
mod tests;
