//! Finds or builds the components that the library embeds.

use media_cache_component_builder::{Component, Error, find_or_build, report};

/// The embedded components: the cache, and the policies.
const COMPONENTS: [Component<'_>; 6] = [
    Component { package: "media-cache-component", directory: "guest/cache", wit: "wit/cache" },
    policy("media-cache-policy-gdsf", "guest/policies/gdsf"),
    policy("media-cache-policy-lru", "guest/policies/lru"),
    policy("media-cache-policy-s3-fifo", "guest/policies/s3-fifo"),
    policy("media-cache-policy-sieve", "guest/policies/sieve"),
    policy("media-cache-policy-w-tinylfu", "guest/policies/w-tinylfu"),
];

const fn policy<'a>(package: &'a str, directory: &'a str) -> Component<'a> {
    Component { package, directory, wit: "wit/policy" }
}

fn main() {
    report(provide());
}

fn provide() -> Result<(), Error> {
    let directory = find_or_build(&COMPONENTS, &["guest", "wit"])?;
    println!("cargo::rustc-env=COMPONENTS={}", directory.display());
    Ok(())
}
