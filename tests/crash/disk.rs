//! The directory of the service, on its own file system where that is permitted, and its disk usage as measured by the file system.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use media_cache_test_skip as skip;
use tempfile::TempDir;

/// Larger than any budget of the harness.
const FILE_SYSTEM: &str = "size=256m";

/// The time between two samples.
const INTERVAL: Duration = Duration::from_millis(2);

/// A temporary directory with its own file system for the cache.
pub struct Disk {
    directory: TempDir,
    mounted: bool,
}

impl Disk {
    pub fn create() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("disk");
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", FILE_SYSTEM, "tmpfs"]).arg(&at).output();
        let mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        // Without its own file system, the disk usage is the sum over all files.
        let _ = skip::unless(mounted, "permission to mount a tmpfs");
        Self { directory, mounted }
    }

    /// The directory of the cache.
    pub fn cache(&self) -> PathBuf {
        self.directory.path().join("disk/cache")
    }

    /// A path outside of the file system of the cache.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A function that measures the disk usage, in bytes.
    fn measure(&self) -> impl Fn() -> u64 + Send + 'static {
        let (at, mounted) = (self.directory.path().join("disk"), self.mounted);
        move || if mounted { blocks_in_use(&at) } else { blocks_of_files(&at) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Lazy, since a service may not have ended yet.
            let _ = Command::new("umount").arg("--lazy").arg(self.directory.path().join("disk")).status();
        }
    }
}

fn blocks_in_use(at: &Path) -> u64 {
    let usage = rustix::fs::statvfs(at).unwrap();
    (usage.f_blocks - usage.f_bfree) * usage.f_frsize
}

/// The disk usage of all files. Files that disappear during the measurement count as 0.
fn blocks_of_files(at: &Path) -> u64 {
    let entries = fs::read_dir(at).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, metadata)| if metadata.is_dir() { blocks_of_files(&path) } else { metadata.blocks() * 512 })
        .sum()
}

/// A thread that compares the disk usage with a budget.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// The budget in bytes; 0 if there is none.
    budget: AtomicU64,
    /// The largest number of bytes by which the budget was exceeded.
    excess: AtomicU64,
    samples: AtomicU64,
    stopped: std::sync::atomic::AtomicBool,
}

impl Sampler {
    pub fn start(disk: &Disk) -> Self {
        let (shared, used) = (Arc::new(Shared::default()), disk.measure());
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                while !shared.stopped.load(Ordering::SeqCst) {
                    let budget = shared.budget.load(Ordering::SeqCst);
                    let excess = used().saturating_sub(budget);
                    // The budget may have changed in the meantime.
                    if budget > 0 && budget == shared.budget.load(Ordering::SeqCst) {
                        shared.samples.fetch_add(1, Ordering::SeqCst);
                        shared.excess.fetch_max(excess, Ordering::SeqCst);
                    }
                    std::thread::sleep(INTERVAL);
                }
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Sets the number of bytes that may be used from now on.
    pub fn enforce(&self, budget: u64) {
        self.shared.budget.store(budget, Ordering::SeqCst);
    }

    /// Stops comparing. Returns the maximum by which the budget was exceeded, in bytes.
    pub fn relax(&self) -> u64 {
        self.shared.budget.store(0, Ordering::SeqCst);
        self.shared.excess.swap(0, Ordering::SeqCst)
    }

    /// How many times a budget was compared with the disk usage.
    pub fn samples(&self) -> u64 {
        self.shared.samples.load(Ordering::SeqCst)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
