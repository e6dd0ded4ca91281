//! The binary under test.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The path of the binary, which Cargo provides to the tests of the package.
#[must_use]
pub fn binary_path() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_media-cache").expect("tests of the binary must be run by `cargo test`").into()
}

/// The binary with arguments, without input, and with its output captured.
pub fn binary<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(binary_path());
    command.args(arguments).env_remove("RUST_LOG");
    remove_settings(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A shell that runs commands until one of them fails, with the binary on `PATH` and its output captured.
#[must_use]
pub fn shell(commands: &str) -> Command {
    let (binary, path) = (binary_path(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-euxo", "pipefail", "-c", commands]).env("PATH", format!("{}:{path}", binary.parent().unwrap().display()));
    shell.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    remove_settings(&mut shell);
    shell
}

/// Removes the user's settings from the environment of a command that starts the binary, perhaps through a shell.
pub fn remove_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"MEDIA_CACHE_")) {
        command.env_remove(name);
    }
}
