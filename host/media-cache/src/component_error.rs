//! Why a component cannot be used, and the checks that all components share.

use std::path::Path;

use media_cache_components as embedded;

use crate::small_file::{Pipes, read_small_file};

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error("cannot read the component {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// There is no built-in policy with this name.
    #[error("there is no built-in policy {0:?}; the built-in policies are {names}", names = embedded::policy_names().join(", "))]
    UnknownPolicy(String),
    /// The component was built for another version of the contract.
    #[error("{what} was built for {interface}; this host accepts {accepted}")]
    OtherVersion {
        /// The component.
        what: String,
        /// The interface that it imports or exports, with its version.
        interface: String,
        /// The packages and versions that this host accepts.
        accepted: String,
    },
    /// The component was uploaded, and its bytes are no longer available.
    #[error("the upload is no longer available; upload it again")]
    Gone,
    /// The component is a policy with an import that a policy must not have.
    #[error(
        "{what} is not a component of the world `eviction-policy`: it imports `{import}`, but a policy may only \
         import inert WASI 0.2 interfaces{}",
        how_to_avoid(import)
    )]
    Reaches {
        /// The component.
        what: String,
        /// The import.
        import: String,
    },
    /// Compiling the component exceeds, or would exceed, a limit.
    #[error("{what} is too costly to compile: {limit}")]
    TooCostly {
        /// The component.
        what: String,
        /// The limit that it exceeds.
        limit: String,
    },
    /// The component was not compiled, for a reason other than the component itself.
    #[error("{what} cannot be compiled: {why}")]
    Compiler {
        /// The component.
        what: String,
        /// What failed.
        why: String,
    },
    /// The file is a core WebAssembly module, not a component.
    #[error(
        "{0} is a core module, not a component; in Rust, build for the target wasm32-wasip2, and in C, run `wasm-tools component new`"
    )]
    CoreModule(String),
    /// The file is not WebAssembly.
    #[error("{0} is not WebAssembly")]
    NotWasm(String),
    /// The file is not a valid WebAssembly component, or the component does not fit the world.
    #[error("{what} is not a component of the world `{world}`: {error:#}")]
    Unfit {
        /// The component.
        what: String,
        /// The expected world.
        world: &'static str,
        /// Why it does not fit.
        error: wasmtime::Error,
    },
}

/// How to build a policy that does not import an interface. The tools for interpreted languages import all of WASI unless told otherwise.
fn how_to_avoid(import: &str) -> &'static str {
    if import.starts_with("wasi:") {
        "; in Python, build it with `componentize-py componentize --stub-wasi`, in JavaScript with `componentize-qjs --stub-wasi` or \
         `jco componentize --disable all`, and in Rust or C, do not call functions that use this interface"
    } else {
        "; a policy gets everything that it needs from its calls"
    }
}

/// The maximum size of a component file, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Reads the file of a component.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    read_small_file(path, MAX_BYTES, Pipes::Accepted)
        .map_err(|error| ComponentError::Read { path: path.display().to_string(), error })
}

/// Refuses files that are not components at all, with errors that are more specific than those of the compiler.
pub(crate) fn check_magic(what: &str, bytes: &[u8]) -> Result<(), ComponentError> {
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ComponentError::CoreModule(what.into())),
        [b'\0', b'a', b's', b'm', ..] => Ok(()),
        _ => Err(ComponentError::NotWasm(what.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_of_an_import_explains_how_to_avoid_it() {
        let refusal = |import: &str| ComponentError::Reaches { what: "mine.wasm".into(), import: import.into() }.to_string();
        let wasi = refusal("wasi:http/types@0.2.10");
        for fix in ["componentize-py componentize --stub-wasi", "componentize-qjs --stub-wasi", "jco componentize --disable all"] {
            assert!(wasi.contains(&format!("`{fix}`")), "{wasi}");
        }
        assert!(!refusal("my:package/interface").contains("--stub-wasi"));
    }
}
