//! The files of `media-cache component export`, and their manifest. They depend only on the program, so every export is the same.

use std::borrow::Cow;

use anyhow::Context;
use media_cache::embedded::{self, Metadata};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The licence of everything that belongs to the project.
const LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// The licence of the interfaces of WASI.
const WASI_LICENSE: &str = "Apache-2.0 WITH LLVM-exception";

/// Texts that accompany the components.
const TEXTS: [(&str, &str, &str); 3] = [
    ("LICENSE-APACHE", "The Apache licence, version 2.0", include_str!("../LICENSE-APACHE")),
    ("LICENSE-MIT", "The MIT licence", include_str!("../LICENSE-MIT")),
    ("README.md", "How to load the components", include_str!("../templates/components/README.md")),
];

/// A file of an export.
pub struct ExportedFile {
    /// Its path in the export, with `/` between components.
    pub path: String,
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
    about: Metadata,
}

impl ExportedFile {
    fn component(path: String, bytes: &'static [u8], about: Metadata) -> Self {
        Self { path, bytes: Cow::Borrowed(bytes), about }
    }

    /// The row of the manifest for this file.
    fn row(&self) -> Value {
        let Metadata { name, version, license, description, contract } = self.about;
        let digest: String = Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut row = json!({
            "path": self.path, "bytes": self.bytes.len(), "sha256": digest,
            "name": name, "version": version, "license": license, "description": description,
        });
        if let Some((package, version)) = contract.split_once('@') {
            row["contract"] = json!({ "package": package, "version": version });
        }
        row
    }
}

/// All files of an export except for the manifest, sorted by path.
///
/// # Errors
/// Returns an error with a message for the user if an embedded component has no metadata.
pub fn all() -> anyhow::Result<Vec<ExportedFile>> {
    let cache = metadata("media-cache", embedded::cache_metadata())?;
    let mut files = vec![ExportedFile::component(format!("media-cache-{}.wasm", cache.version), embedded::CACHE, cache)];
    for &(name, component) in embedded::POLICIES {
        let policy = metadata(name, embedded::policy_metadata(name))?;
        files.push(ExportedFile::component(format!("policies/{name}-{}.wasm", policy.version), component, policy));
    }
    files.extend(embedded::WIT.iter().map(|&(path, text)| {
        let about = wit_metadata(path, text);
        ExportedFile { path: format!("wit/{path}"), bytes: text.as_bytes().into(), about }
    }));
    files.extend(TEXTS.map(|(path, description, text)| {
        let text = text.replace("{{version}}", cache.version);
        let about = Metadata { name: path, version: cache.version, license: LICENSE, description, contract: "" };
        ExportedFile { path: path.into(), bytes: text.into_bytes().into(), about }
    }));
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn metadata(name: &str, metadata: Option<Metadata>) -> anyhow::Result<Metadata> {
    let advice = "build this program with components from host/components or a published package";
    metadata.with_context(|| format!("the embedded component {name} states neither its version nor its licence; {advice}"))
}

/// The metadata of a WIT file: that of its package, which `world.wit` in the same directory declares, unless the file does.
fn wit_metadata(path: &str, text: &'static str) -> Metadata {
    let world = path.rsplit_once('/').map_or_else(String::new, |(directory, _)| format!("{directory}/world.wit"));
    let world = embedded::WIT.iter().find(|(path, _)| *path == world).map(|(_, text)| *text);
    let declared =
        |text: &'static str| Some((text, text.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'))?));
    let (text, contract) = declared(text).or_else(|| world.and_then(declared)).unwrap_or_default();
    let (name, version) = contract.split_once('@').unwrap_or_default();
    let description = text.lines().next().and_then(|line| line.strip_prefix("/// ")).unwrap_or("An interface of WASI");
    let license = if name.starts_with("wasi:") { WASI_LICENSE } else { LICENSE };
    Metadata { name, version, license, description, contract }
}

/// The manifest of files.
pub fn manifest(files: &[ExportedFile]) -> Value {
    json!({ "format": 1, "version": env!("CARGO_PKG_VERSION"), "files": files.iter().map(ExportedFile::row).collect::<Vec<_>>() })
}
