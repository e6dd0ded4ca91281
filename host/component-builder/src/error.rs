//! Why components cannot be provided.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::prebuilt::PREBUILT_VARIABLE;

/// Why components cannot be provided. The message says how to fix it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A variable that cargo sets for build scripts is not set.
    NotABuildScript(&'static str),
    /// The directory of prebuilt components is a relative path.
    Relative(PathBuf),
    /// A directory lacks some of the components.
    Incomplete {
        /// The directory.
        directory: PathBuf,
        /// The names of all missing files.
        missing: Vec<String>,
    },
    /// The crate in this directory has neither sources nor prebuilt components.
    NoComponents(PathBuf),
    /// The crate in this directory only builds in a checkout.
    NoSources(PathBuf),
    /// The standard library for this target is not installed.
    TargetMissing(&'static str),
    /// This program cannot be started.
    NotStarted(&'static str, io::Error),
    /// The components do not compile, with the output of the nested cargo.
    BuildFailed(String),
    /// This file or directory cannot be read or written.
    Io(PathBuf, io::Error),
    /// This file, which was just built, is not a component.
    NotAComponent(PathBuf),
    /// This manifest has no description on a separate line.
    NoDescription(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABuildScript(variable) => {
                write!(f, "{variable} is not set: this library only works in a build script run by cargo")
            }
            Self::Relative(path) => write!(f, "{PREBUILT_VARIABLE} is the relative path {}: make it absolute", path.display()),
            Self::Incomplete { directory, missing } => {
                write!(f, "components are missing from {}: {}", directory.display(), missing.join(", "))
            }
            Self::NoComponents(directory) => write!(
                f,
                "no components for {}: it is not in a checkout of media-cache and has no `prebuilt` directory; \
                 build the components in a checkout and set {PREBUILT_VARIABLE} to their directory",
                directory.display()
            ),
            Self::NoSources(directory) => {
                write!(f, "no component sources for {}: it only builds in a checkout of media-cache", directory.display())
            }
            Self::TargetMissing(target) => write!(f, "the target {target} is not installed: run `rustup target add {target}`"),
            Self::NotStarted(program, error) => write!(f, "cannot run {program}: {error}"),
            Self::BuildFailed(log) => write!(f, "the components do not compile:\n{log}"),
            Self::Io(path, error) => write!(f, "cannot use {}: {error}", path.display()),
            Self::NotAComponent(path) => write!(f, "{} is not a component", path.display()),
            Self::NoDescription(path) => write!(f, "{} has no line `description = \"…\"`: add one", path.display()),
        }
    }
}

impl std::error::Error for Error {}
