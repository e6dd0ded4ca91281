//! `media-cache component export`: writes the components for other hosts.
//!
//! The manifest names all files that belong to an export. It is written before them, and a file that it does not name is never replaced or
//! deleted, so an interrupted export can be repeated, and nothing of the user's is lost.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::component_files::{self, ExportedFile};
use crate::{output, user_files};

/// The name of the manifest.
const MANIFEST: &str = "manifest.json";

/// `media-cache component export`.
#[derive(Args)]
pub struct Export {
    /// The directory to write to: a new or empty directory, or an earlier export, which is replaced
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print the manifest, and the path of the directory, as a JSON object
    #[arg(long)]
    json: bool,
}

impl Export {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let files = component_files::all()?;
        let mut manifest = component_files::manifest(&files);
        write(&self.directory, &files, &manifest)?;
        if self.json {
            manifest["directory"] = json!(self.directory.to_string_lossy());
            output::json_value(&manifest)?;
        } else {
            let (count, readme) = (files.len() + 1, self.directory.join("README.md"));
            output::line(format_args!(
                "wrote {count} files to {}; see {} for how to load the components",
                self.directory.display(),
                readme.display()
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes an export, in place of an earlier one.
fn write(root: &Path, files: &[ExportedFile], manifest: &Value) -> anyhow::Result<()> {
    create_directory(root)?;
    let paths: BTreeSet<_> = files.iter().map(|file| file.path.clone()).collect();
    for old in earlier_export(root)?.difference(&paths) {
        let path = root.join(old);
        fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
    }
    write_file(&root.join(MANIFEST), format!("{manifest:#}\n").as_bytes())?;
    for file in files {
        let path = root.join(&file.path);
        create_directory(path.parent().unwrap_or(root))?;
        write_file(&path, &file.bytes)?;
    }
    Ok(())
}

/// The files in a directory, except for the manifest, which must all belong to an earlier export.
fn earlier_export(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let (mut found, mut pending) = (BTreeSet::new(), vec![String::new()]);
    while let Some(directory) = pending.pop() {
        let failed = || format!("cannot read {}", root.join(&directory).display());
        for entry in fs::read_dir(root.join(&directory)).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            // A name that is not text is not in the manifest either.
            let path = format!("{directory}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().with_context(failed)?;
            match kind.is_dir() {
                true => pending.push(format!("{path}/")),
                // A link is not part of an export: it could lead to any file.
                false if !kind.is_file() => return refuse(root, &path),
                false => drop(found.insert(path)),
            }
        }
    }
    let known = match fs::read(root.join(MANIFEST)) {
        Ok(manifest) => listed(&manifest),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(BTreeSet::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", root.join(MANIFEST).display())),
    };
    let known = known.unwrap_or_default();
    match found.iter().find(|path| !known.contains(*path)) {
        Some(foreign) => refuse(root, foreign),
        None => {
            found.remove(MANIFEST);
            Ok(found)
        }
    }
}

/// The files that a manifest lists, including itself. `None` if it is not the manifest of an export.
fn listed(manifest: &[u8]) -> Option<BTreeSet<String>> {
    let manifest: Value = serde_json::from_slice(manifest).ok()?;
    let paths = manifest["files"].as_array()?.iter().map(|file| file["path"].as_str().map(str::to_owned));
    manifest["format"].as_u64()?;
    paths.chain([Some(MANIFEST.to_owned())]).collect()
}

fn refuse<T>(root: &Path, foreign: &str) -> anyhow::Result<T> {
    bail!("{} contains {foreign:?}, which is not part of an earlier export; name a new or empty directory", root.display());
}

fn create_directory(path: &Path) -> anyhow::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.is_dir()).collect();
    for directory in missing.into_iter().rev() {
        user_files::create_directory(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = user_files::create_file(path).and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("cannot write {}", path.display()))
}
