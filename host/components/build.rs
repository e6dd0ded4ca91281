//! Finds or builds the components that the library embeds.

use media_cache_component_builder::{Error, find_or_build, report};

/// The packages of the embedded components.
const PACKAGES: [&str; 6] = [
    "media-cache-component",
    "media-cache-policy-gdsf",
    "media-cache-policy-lru",
    "media-cache-policy-s3-fifo",
    "media-cache-policy-sieve",
    "media-cache-policy-w-tinylfu",
];

fn main() {
    report(provide());
}

fn provide() -> Result<(), Error> {
    let directory = find_or_build(&PACKAGES, &["guest", "wit"])?;
    println!("cargo::rustc-env=COMPONENTS={}", directory.display());
    Ok(())
}
