//! Builds the hostile policies and the cache component with known faults. They are always built from source, because they are not
//! published.

use media_cache_component_builder::{Error, build_examples, build_with_features, report};

/// The sources of the hostile policies.
const SOURCES: [&str; 4] = ["guest/policy-sdk", "guest/policy-structures", "tests/components/hostile", "wit"];

/// The sources of the cache component.
const CACHE_SOURCES: [&str; 2] = ["guest", "wit"];

fn main() {
    report(build());
}

fn build() -> Result<(), Error> {
    let directory = build_examples("media-cache-hostile-policies", &SOURCES)?;
    println!("cargo::rustc-env=HOSTILE_POLICIES={}", directory.display());
    let mutants = build_with_features("media-cache-component", "mutants", &CACHE_SOURCES)?;
    println!("cargo::rustc-env=MUTANTS={}", mutants.display());
    Ok(())
}
