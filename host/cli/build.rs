//! Determines the commit of the build for `media-cache --version`: the value of `SOURCE_COMMIT`, or else the commit of the package
//! (`.cargo_vcs_info.json`, which `cargo package` writes), or else the commit of the git work tree that tracks this file. Without any of
//! them, as in a source archive, it is unknown. The script runs again only when the commit of the work tree changes.

use std::path::{Path, PathBuf};
use std::process::Command;

const VARIABLE: &str = "SOURCE_COMMIT";
const PACKAGED: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var(VARIABLE).ok().filter(|commit| is_commit(commit));
    let commit = given.or_else(packaged).or_else(checked_out).unwrap_or_else(|| "unknown".into());
    // `cargo run` passes the variable on to the program, which refuses variables of the form MEDIA_CACHE_… that are not options.
    println!("cargo::rustc-env=BUILD_COMMIT={}", commit.get(..12).unwrap_or(&commit));
}

/// The commit that the package was made from.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(PACKAGED).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).filter(|commit| is_commit(commit)).map(Into::into)
}

/// The commit of the work tree. An archive unpacked in the work tree of another project is not tracked there.
fn checked_out() -> Option<String> {
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    let commit = git(&["rev-parse", "HEAD"]).filter(|commit| is_commit(commit))?;
    // `HEAD` changes when another branch is checked out, and its log with each commit. Without a log, watch the file that stores the
    // branch.
    let path = |name: &str| git(&["rev-parse", "--git-path", name]).map(PathBuf::from).filter(|path| path.exists());
    let branch = || git(&["symbolic-ref", "--quiet", "HEAD"]).and_then(|branch| path(&branch)).or_else(|| path("packed-refs"));
    for watched in [path("HEAD"), path("logs/HEAD").or_else(branch)].iter().flatten() {
        println!("cargo::rerun-if-changed={}", Path::display(watched));
    }
    Some(commit)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().into())
}

fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
