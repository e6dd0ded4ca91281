//! Files of the repository.

use std::path::{Path, PathBuf};

/// The path of a file, given relative to the root of the repository.
pub fn workspace_path(relative: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// The text of a file, given relative to the root of the repository.
#[track_caller]
pub fn workspace_file(relative: impl AsRef<Path>) -> String {
    let path = workspace_path(relative);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
