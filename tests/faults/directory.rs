//! A directory as an interrupted service may leave it behind. The next start has to do every kind of work that a start may involve.

use std::fs;
use std::path::{Path, PathBuf};

use media_cache_test_support::cache_directory::{copy_files, media_file, sidecar_file};
use media_cache_test_support::cache_requests::fill;
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;

/// The size, in bytes, of media that is read and written on other threads and not kept in memory.
pub const LARGE: usize = 150_000;

/// The stored entries, with their media.
pub fn entries() -> [(&'static str, Vec<u8>); 5] {
    let text = |url| (url, text(url));
    [text("test:a"), ("test:large", noise(1, LARGE)), text("test:c"), text("test:d"), ("test:refreshed", b"new".to_vec())]
}

/// A directory that is copied for each run.
pub struct PreparedDirectory {
    rig: CacheRig,
}

impl PreparedDirectory {
    pub async fn make() -> Self {
        let (rig, newer) = (CacheRig::create(), CacheRig::create());
        for (rig, refreshed) in [(&rig, b"old"), (&newer, b"new")] {
            rig.origin.serves_bytes("test:large", noise(1, LARGE));
            rig.origin.serves_bytes("test:refreshed", refreshed.to_vec());
            let cache = rig.open().await;
            fill(&cache, &entries().map(|(url, _)| url)).await;
            fill(&cache, &["test:half", "test:other-half"]).await;
            cache.close().await.unwrap();
        }
        let directory = rig.directory();
        // An incomplete write, an incomplete deletion, a temporary file, and a refresh whose files only have to be renamed.
        fs::remove_file(sidecar_file(&directory, "test:half")).unwrap();
        fs::remove_file(media_file(&directory, "test:other-half")).unwrap();
        fs::write(media_file(&directory, "test:unfinished").with_extension("json.tmp"), "{").unwrap();
        for (file, extension) in [(media_file as fn(&Path, &str) -> PathBuf, "dat.new"), (sidecar_file, "json.new")] {
            let from = file(&newer.directory(), "test:refreshed");
            fs::copy(from, media_file(&directory, "test:refreshed").with_extension(extension)).unwrap();
        }
        Self { rig }
    }

    /// Copies the directory.
    pub fn copy_to(&self, to: &Path) {
        copy_files(&self.rig.directory(), to);
    }
}
