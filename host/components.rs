//! How build scripts build components: with cargo itself, for WebAssembly.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-wasip2";

/// Ends a build script with what it has come to.
pub fn run(script: impl FnOnce() -> Result<(), String>) -> ExitCode {
    match script() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Builds what `selected` says of a workspace, and says where it is. It is built again when something `watched` has changed.
pub fn build(workspace: &Path, selected: &[&str], watched: &[&str]) -> Result<PathBuf, String> {
    let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
    // A target directory of its own: the one of the build that runs this is locked.
    let target_directory = PathBuf::from(variable("OUT_DIR")?).join("components");
    for watched in watched {
        println!("cargo:rerun-if-changed={}", workspace.join(watched).display());
    }
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(workspace).args(["build", "--profile=component", "--target", TARGET, "--target-dir"]).arg(&target_directory);
    cargo.args(selected);
    // What cargo set for the build that runs this (a wrapper of clippy, flags, features) is not meant for the components.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let inherited = name.starts_with("CARGO_") && name != "CARGO_HOME" && name != "CARGO_NET_OFFLINE";
        if inherited || name.starts_with("RUSTC") || name.starts_with("RUSTDOC") || name == "RUSTFLAGS" {
            cargo.env_remove(&*name);
        }
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        if log.contains("target may not be installed") || log.contains("can't find crate for `core`") {
            return Err(format!("the target {TARGET} is missing: run `rustup target add {TARGET}` and build again"));
        }
        return Err(format!("the components cannot be built:\n{log}"));
    }
    Ok(target_directory.join(TARGET).join("component"))
}
