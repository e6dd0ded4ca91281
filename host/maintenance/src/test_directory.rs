//! A directory with entries for the tests of this crate.

use std::path::PathBuf;

use media_cache_entry_files::{Cacheability, KeyDigest, Metadata, Sidecar};
use sha2::{Digest, Sha256};

use crate::directory::EntryDirectory;

/// A temporary directory.
pub(crate) struct TestDirectory(tempfile::TempDir);

/// A sidecar with all fields set.
pub(crate) fn sidecar(url: &str, body: &[u8]) -> Sidecar {
    let metadata = Metadata {
        cacheability: Cacheability::Private,
        max_age: Some(60),
        age: 3,
        etag: Some("\"1\"".into()),
        last_modified: Some("Wed, 21 Oct 2015 07:28:00 GMT".into()),
        cost: 7,
        ..Metadata::new("image/png".into(), "ä.png", 1_732_286_259_123)
    };
    Sidecar { url: url.into(), size: body.len() as u64, body_digest: Some(Sha256::digest(body).into()), metadata: metadata.into() }
}

impl TestDirectory {
    pub fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn open(&self) -> EntryDirectory {
        EntryDirectory::existing(self.0.path()).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn store(&self, url: &str, body: &[u8]) -> KeyDigest {
        let digest = KeyDigest::of(url);
        self.write(&digest.media_file(), body);
        self.write(&digest.sidecar_file(), &sidecar(url, body).to_json());
        digest
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The names and bytes of all files, sorted.
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        self.names().into_iter().map(|name| (name.clone(), std::fs::read(self.path(&name)).unwrap())).collect()
    }
}
