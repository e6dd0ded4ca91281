//! Builds the hostile policies as `host/build.rs` builds the policies that come with the library.

#[path = "../../host/components.rs"]
mod components;

use std::path::Path;
use std::process::ExitCode;

const WATCHED: [&str; 5] = ["guest/policies/kit", "tests/components/hostile", "wit", "Cargo.toml", "Cargo.lock"];

fn main() -> ExitCode {
    components::run(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let built = components::build(&workspace, &["--package", "media-cache-hostile-policies", "--examples"], &WATCHED)?;
        println!("cargo:rustc-env=HOSTILE_POLICIES={}", built.join("examples").display());
        Ok(())
    })
}
