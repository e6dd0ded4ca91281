//! Builds the components for WebAssembly, for the library to embed, so that a plain `cargo build` is enough.

mod components;

use std::path::Path;
use std::process::ExitCode;

/// The packages, and the variables that say where their components are. Cargo hands these on to what `cargo run` starts, so that they
/// must not begin as those do which configure the program.
const COMPONENTS: [(&str, &str); 6] = [
    ("media-cache-component", "EMBEDDED_CACHE"),
    ("media-cache-policy-lru", "EMBEDDED_POLICY_LRU"),
    ("media-cache-policy-sieve", "EMBEDDED_POLICY_SIEVE"),
    ("media-cache-policy-s3-fifo", "EMBEDDED_POLICY_S3_FIFO"),
    ("media-cache-policy-gdsf", "EMBEDDED_POLICY_GDSF"),
    ("media-cache-policy-w-tinylfu", "EMBEDDED_POLICY_W_TINYLFU"),
];

fn main() -> ExitCode {
    components::run(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let selected: Vec<&str> = COMPONENTS.iter().flat_map(|(package, _)| ["--package", package]).collect();
        let built = components::build(&workspace, &selected, &["guest", "wit", "Cargo.toml", "Cargo.lock"])?;
        for (package, variable) in COMPONENTS {
            let file = built.join(package.replace('-', "_")).with_extension("wasm");
            println!("cargo:rustc-env={variable}={}", file.display());
        }
        Ok(())
    })
}
