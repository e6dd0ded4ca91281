//! Builds the hostile policies, always from source: they are not published.

use media_cache_component_builder::{Error, build_examples, report};

/// The sources of the hostile policies.
const SOURCES: [&str; 4] = ["guest/policy-sdk", "guest/policy-structures", "tests/components/hostile", "wit"];

fn main() {
    report(build());
}

fn build() -> Result<(), Error> {
    let directory = build_examples("media-cache-hostile-policies", &SOURCES)?;
    println!("cargo::rustc-env=HOSTILE_POLICIES={}", directory.display());
    Ok(())
}
