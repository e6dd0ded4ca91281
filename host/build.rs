//! Builds the components for WebAssembly, for the library to embed, so that a plain `cargo build` is enough.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The packages, and the variables that say where their components are.
const COMPONENTS: [(&str, &str); 2] =
    [("media-cache-component", "MEDIA_CACHE_COMPONENT"), ("media-cache-policy-lru", "MEDIA_CACHE_POLICY_LRU")];

const TARGET: &str = "wasm32-wasip2";

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    // A target directory of its own: the one of the build that runs this is locked.
    let target_directory = PathBuf::from(variable("OUT_DIR")?).join("components");
    for watched in ["guest", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", workspace.join(watched).display());
    }
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(&workspace).args(["build", "--profile=component", "--target", TARGET, "--target-dir"]).arg(&target_directory);
    for (package, _) in COMPONENTS {
        cargo.args(["--package", package]);
    }
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
    for (package, variable) in COMPONENTS {
        let file = target_directory.join(TARGET).join("component").join(package.replace('-', "_")).with_extension("wasm");
        println!("cargo:rustc-env={variable}={}", file.display());
    }
    Ok(())
}
