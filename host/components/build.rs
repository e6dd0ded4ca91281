//! Finds or builds the components that the library embeds.

use std::path::Path;
use std::{env, fs};

use media_cache_component_builder::{Component, Error, file_name, find_or_build, report};

/// The policies, beginning with the default. The package of each is `guest/policies/NAME`. This is the only list of them.
const POLICIES: [&str; 5] = ["lru", "sieve", "s3-fifo", "gdsf", "w-tinylfu"];

fn main() {
    report(provide());
}

fn provide() -> Result<(), Error> {
    let names = POLICIES.map(|name| (format!("media-cache-policy-{name}"), format!("guest/policies/{name}")));
    let mut components = vec![Component { package: "media-cache-component", directory: "guest/cache", wit: "wit/cache" }];
    components.extend(names.iter().map(|(package, directory)| Component { package, directory, wit: "wit/policy" }));
    let directory = find_or_build(&components, &["guest", "wit"])?;
    println!("cargo::rustc-env=COMPONENTS={}", directory.display());

    // An expression for `include!`: pairs of name and component.
    let files = names.map(|(package, _)| directory.join(file_name(&package)));
    let pairs = POLICIES.iter().zip(&files).map(|(name, file)| format!("({name:?}, include_bytes!({file:?}).as_slice()),\n"));
    let expression = format!("&[\n{}]\n", pairs.collect::<String>());
    let output = Path::new(&env::var_os("OUT_DIR").unwrap_or_default()).join("policies.rs");
    fs::write(&output, expression).map_err(|error| Error::Io(output, error))
}
