//! The crates of this workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::modules::Modules;

/// A crate below `guest` or `host`. All paths are relative to the workspace root.
pub struct Crate {
    pub directory: String,
    /// The root files of its library and binaries.
    roots: Vec<String>,
    /// The directories of its normal and build dependencies that have a path.
    pub dependencies: Vec<String>,
}

/// The directory of the workspace that contains this test.
fn root() -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|directory| directory.join("Cargo.lock").is_file());
    directory.unwrap().to_owned()
}

impl Crate {
    pub fn all() -> Vec<Self> {
        let arguments = ["metadata", "--no-deps", "--offline", "--format-version=1"];
        let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_checked = |found: &Self| ["guest", "host"].iter().any(|above| Path::new(&found.directory).starts_with(above));
        let crates: Vec<Self> = items(&metadata["packages"]).map(Self::new).filter(is_checked).collect();
        assert!(!crates.is_empty(), "no crates in {}", root().display());
        crates
    }

    fn new(package: &Value) -> Self {
        let manifest = relative(&package["manifest_path"]).unwrap();
        let directory = manifest.trim_end_matches("/Cargo.toml").to_owned();
        let roots = items(&package["targets"]).filter_map(|target| relative(&target["src_path"]));
        let not_dev = items(&package["dependencies"]).filter(|dependency| dependency["kind"] != "dev");
        Self {
            roots: roots.filter(|root| root.starts_with(&format!("{directory}/src/"))).collect(),
            dependencies: not_dev.filter_map(|dependency| relative(&dependency["path"])).collect(),
            directory,
        }
    }

    pub fn modules(&self) -> Vec<Modules> {
        let read = |name: &str| std::fs::read_to_string(root().join(name)).ok();
        self.roots.iter().map(|root| Modules::load(root, read)).collect()
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().unwrap().iter()
}

/// Makes `path` relative to the workspace root. `None` if the value is not a path.
fn relative(path: &Value) -> Option<String> {
    let path = Path::new(path.as_str()?);
    let path = path.strip_prefix(root()).unwrap_or(path);
    Some(path.display().to_string())
}
