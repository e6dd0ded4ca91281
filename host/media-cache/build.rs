//! Writes the implemented part of the contract for `bindgen!`.
//!
//! The macro enables every `@unstable` feature that it finds and then requires the exports of these features. So this script writes the
//! contract without them to a separate file.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use wit_component::WitPrinter;
use wit_parser::Resolve;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("wit/cache");
    // No features are enabled.
    let mut resolve = Resolve::default();
    let (package, sources) = resolve.push_dir(&directory)?;
    sources.paths().for_each(|path| println!("cargo::rerun-if-changed={}", path.display()));
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != package).collect();
    let mut printer = WitPrinter::default();
    printer.print(&resolve, package, &others)?;
    let out = env::var("OUT_DIR")?;
    let wit = Path::new(&out).join("media-cache.wit");
    fs::write(&wit, printer.output.to_string())?;
    // The macro accepts the path only as a literal.
    let contract = format!(
        "macro_rules! contract {{ ({{ $($options:tt)* }}) => {{ wasmtime::component::bindgen!({{ path: {wit:?}, $($options)* }}); }} }}\n"
    );
    fs::write(Path::new(&out).join("contract.rs"), contract)?;
    Ok(())
}
