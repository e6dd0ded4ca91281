//! A directory for a cache, and a look at what is in it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::process::{Finished, Service, run, run_with_input};

/// The file with the order of use.
pub const SNAPSHOT: &str = "media-cache.index";

/// The file that is locked.
pub const LOCK: &str = "media-cache.lock";

/// A directory of its own, removed in the end.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Where the entries are.
    pub fn directory(&self) -> PathBuf {
        self.outside("cache")
    }

    /// A path beside it.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file beside it.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.outside(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub async fn serve(&self) -> Service {
        self.serve_with(&[]).await
    }

    pub async fn serve_with(&self, arguments: &[&str]) -> Service {
        Service::start(&self.directory(), arguments).await
    }

    /// With these arguments and no others: nobody administers it unless they say so.
    pub async fn serve_with_only(&self, arguments: &[&str]) -> Service {
        Service::start_with_only(&self.directory(), arguments).await
    }

    pub async fn run(&self, arguments: &[&str]) -> Finished {
        run(&self.directory(), arguments).await
    }

    pub async fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Finished {
        run_with_input(&self.directory(), arguments, input).await
    }

    /// The entries as `ls --json` lists them, the least recently used first.
    pub async fn listed(&self) -> Vec<Value> {
        let said = self.run(&["ls", "--json"]).await.said();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The URLs as `ls --json` lists them.
    pub async fn order(&self) -> Vec<String> {
        self.listed().await.iter().map(|entry| entry["url"].as_str().unwrap().to_owned()).collect()
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(self.directory()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What of the entries takes up of the disk, in blocks of 4 KiB. A file that goes away meanwhile takes up nothing, nor does a
    /// directory that the service has not made yet.
    pub fn disk_use(&self) -> u64 {
        let files = match std::fs::read_dir(self.directory()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
            files => files.unwrap().map(Result::unwrap),
        };
        let entries = files.filter(|file| ![SNAPSHOT, LOCK].map(Into::into).contains(&file.file_name()));
        entries.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len().next_multiple_of(4096)).sum()
    }

    /// The file with the bytes of an entry.
    pub fn media_file(&self, url: &str) -> PathBuf {
        self.directory().join(format!("{}.dat", sha256(url.as_bytes())))
    }

    /// The file with what is known of an entry.
    pub fn sidecar_file(&self, url: &str) -> PathBuf {
        self.media_file(url).with_extension("json")
    }

    /// What is known of an entry.
    pub fn sidecar(&self, url: &str) -> Value {
        read_json(&self.sidecar_file(url))
    }

    /// Whether an entry is there, and whole.
    #[track_caller]
    pub fn holds(&self, url: &str) -> bool {
        let (media, sidecar) = (self.media_file(url).exists(), self.sidecar_file(url).exists());
        assert_eq!(media, sidecar, "{url} has one file of two");
        media
    }
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
