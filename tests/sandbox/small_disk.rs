//! A small file system, for tests with a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use media_cache_test_skip as skip;

/// A file system of 256 KiB.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` if the test must be skipped because only root may mount file systems.
    pub fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(at).output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        (!skip::unless(mounted, "permission to mount a tmpfs")).then(|| Self(at.into()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazy, since the cache may still have files open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
