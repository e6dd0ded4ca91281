//! Checks that a service could use its directories and files, without touching their contents.

use std::path::Path;

use anyhow::Context;
use media_cache_server::TraceRecorder;

/// Opens a trace of requests, and creates it if it does not exist.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn open_trace(path: &Path) -> anyhow::Result<TraceRecorder> {
    let opened = check_parent(path, "--record-trace").and_then(|()| Ok(TraceRecorder::open(path)?));
    opened.with_context(|| format!("cannot record requests in {}", path.display()))
}

/// Checks that requests could be recorded in a file, without creating it.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn check_trace(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return open_trace(path).map(drop);
    }
    let writable = check_parent(path, "--record-trace").and_then(|()| check_writable(or_working_directory(path.parent())));
    writable.with_context(|| format!("cannot record requests in {}", path.display()))
}

/// Checks that the directory of a file exists, whose path is the value of an option.
///
/// # Errors
/// Returns an error that says what to do.
pub fn check_parent(path: &Path, option: &str) -> anyhow::Result<()> {
    let directory = or_working_directory(path.parent());
    let named = directory.display();
    anyhow::ensure!(directory.exists(), "the directory {named} does not exist; create it, or give {option} a file in another one");
    anyhow::ensure!(directory.is_dir(), "{named} is not a directory; give {option} a file in a directory");
    Ok(())
}

/// Checks that a directory could be used by a cache, or created.
///
/// # Errors
/// Returns an error with a message for the user.
pub fn check_directory(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        anyhow::ensure!(path.is_dir(), "{} is not a directory", path.display());
        return check_writable(path).with_context(|| format!("cannot write to the directory {}", path.display()));
    }
    let existing = or_working_directory(path.ancestors().skip(1).find(|ancestor| ancestor.exists()));
    let writable = if existing.is_dir() { check_writable(existing) } else { Err(anyhow::anyhow!("the latter is not a directory")) };
    writable.with_context(|| format!("cannot create the directory {} in {}", path.display(), existing.display()))
}

/// The parent directory of a path, or the working directory if the path has none.
fn or_working_directory(directory: Option<&Path>) -> &Path {
    directory.filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Checks that files can be created in a directory, by creating an unnamed file.
fn check_writable(directory: &Path) -> anyhow::Result<()> {
    tempfile::tempfile_in(directory)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_usable_if_it_or_its_parent_is_writable() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let check = |name: &str| check_directory(&root.path().join(name)).map_err(|error| format!("{error:#}"));
        assert_eq!((check(""), check("a/b/c")), (Ok(()), Ok(())));
        assert!(check("file").unwrap_err().ends_with("file is not a directory"));
        let below = check("file/a/b").unwrap_err();
        assert!(below.contains("cannot create the directory") && below.ends_with("the latter is not a directory"), "{below}");
        // This directory has no files, and none can be created.
        let error = check_directory(Path::new("/proc/self")).unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot write to the directory /proc/self: "), "{error:#}");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
