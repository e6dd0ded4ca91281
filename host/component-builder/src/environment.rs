//! The environment of the nested cargo.
//!
//! Cargo describes the outer build to build scripts in variables: flags, features, the target, wrappers such as clippy's. Many of them are
//! also settings, and would apply to components, which have another target and another profile. Of all variables named `CARGO…` or `RUST…`,
//! the nested cargo therefore gets only those that specify how to reach registries, which toolchain to use, and how many jobs to run. All
//! other variables are passed on, such as `PATH`, `HTTPS_PROXY` and `SSL_CERT_FILE`.
//!
//! Variables that change what is compiled are never passed on, regardless of where they come from: components depend only on the files of
//! the checkout and on the toolchain.

use std::env;
use std::process::Command;

/// Variables that are passed on.
const KEPT: [&str; 3] = [
    // The caches of the registries, credentials and configuration.
    "CARGO_HOME",
    // The job server of the outer build, so that both builds together run no more jobs than one.
    "CARGO_MAKEFLAGS",
    // The compiler that the outer cargo chose, which need not be in `PATH`.
    "RUSTC",
];

/// Prefixes of variables that are passed on: proxies and certificates, offline mode and retries, registries and their tokens, rustup's
/// toolchain.
const KEPT_PREFIXES: [&str; 5] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "RUSTUP_"];

/// Variables that cargo sets for build scripts, but whose names have other prefixes.
const BUILD_SCRIPT: [&str; 7] = ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET"];

/// Removes the variables of the outer build from the environment of a command.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in env::vars_os() {
        // Cargo's names are all Unicode.
        if name.to_str().is_some_and(|name| !is_kept(name)) {
            command.env_remove(name);
        }
    }
}

/// Whether a variable is passed on to the nested cargo.
pub(crate) fn is_kept(name: &str) -> bool {
    if KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return true;
    }
    let of_cargo = ["CARGO", "RUST", "DEP_"].iter().any(|prefix| name.starts_with(prefix));
    !of_cargo && !BUILD_SCRIPT.contains(&name)
}
