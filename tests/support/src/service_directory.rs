//! A temporary directory for a service or for commands, and its contents.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::binary::binary;
use crate::cache_directory::{self, BOTH, INDEX_LOG, LOCK, NEITHER, OWN_DIRECTORY, disk_size};
use crate::command::{CommandOutput, finish};
use crate::service_process::Service;

/// A temporary directory, with the directory of a cache in it.
pub struct ServiceDirectory(TempDir);

impl ServiceDirectory {
    /// A new directory, which is removed when this is dropped.
    #[must_use]
    pub fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The directory of the cache.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// A path next to the directory of the cache.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file next to the directory of the cache, and returns its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Starts a service on the cache.
    pub async fn serve(&self) -> Service {
        self.serve_with(&[]).await
    }

    /// Starts a service on the cache with additional arguments.
    pub async fn serve_with(&self, arguments: &[&str]) -> Service {
        Service::start(&self.cache(), arguments).await
    }

    /// Starts a service on the cache with only these arguments, without the default listener and token.
    pub async fn serve_with_only(&self, arguments: &[&str]) -> Service {
        Service::start_with_only(&self.cache(), arguments).await
    }

    /// Runs a command on the cache.
    pub async fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_with_input(arguments, &[]).await
    }

    /// Runs a command on the cache with data on standard input. Commands that download may do so from loopback addresses.
    pub async fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> CommandOutput {
        let mut command = binary(arguments);
        command.arg("--dir").arg(self.cache());
        if matches!(arguments.first(), Some(&("serve" | "get" | "put"))) {
            command.args(["--allow-address", "127.0.0.0/8"]);
        }
        finish(command, input).await
    }

    /// The entries in the output of `ls --json`, least recently used first.
    pub async fn listed(&self) -> Vec<Value> {
        let listed = self.run(&["ls", "--json"]).await.succeeded_text();
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The URLs in the output of `ls --json`.
    pub async fn order(&self) -> Vec<String> {
        self.listed().await.iter().map(|entry| entry["url"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the cache has an index log.
    #[must_use]
    pub fn has_index_log(&self) -> bool {
        self.cache().join(INDEX_LOG).exists()
    }

    /// The names of all files of the cache except those in its own directory, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.cache()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != OWN_DIRECTORY).collect();
        names.sort();
        names
    }

    /// The disk usage of the entries. Files that disappear in the meantime count as 0, and so does a directory that does not exist yet.
    #[must_use]
    pub fn disk_usage(&self) -> u64 {
        let files = match std::fs::read_dir(self.cache()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
            files => files.unwrap().map(Result::unwrap),
        };
        let entries = files.filter(|file| ![OWN_DIRECTORY, LOCK].map(Into::into).contains(&file.file_name()));
        entries.filter_map(|file| file.metadata().ok()).map(|metadata| disk_size(metadata.len())).sum()
    }

    /// The file with the media of an entry.
    #[must_use]
    pub fn media_file(&self, url: &str) -> PathBuf {
        cache_directory::media_file(&self.cache(), url)
    }

    /// The file with the metadata of an entry.
    #[must_use]
    pub fn sidecar_file(&self, url: &str) -> PathBuf {
        cache_directory::sidecar_file(&self.cache(), url)
    }

    /// The metadata of an entry.
    #[must_use]
    pub fn sidecar(&self, url: &str) -> Value {
        cache_directory::sidecar(&self.cache(), url)
    }

    /// Whether an entry is stored.
    ///
    /// # Panics
    /// If only one of its files exists.
    #[track_caller]
    #[must_use]
    pub fn holds(&self, url: &str) -> bool {
        match cache_directory::files_exist(&self.cache(), url) {
            BOTH => true,
            NEITHER => false,
            _ => panic!("{url} has only one of its two files"),
        }
    }
}
