//! Loads a small directory before the first request is answered, so that stored entries are counted and listed from the start, and a PUT
//! right after the start is not refused. A large directory is loaded while requests are served.

use std::path::Path;
use std::time::Duration;

use media_cache::MediaCache;

/// The maximum number of files in a small directory. Loading that many takes a few milliseconds, unless the machine is busy.
const FILES: usize = 2000;

/// The maximum time that requests wait for a small directory to be loaded.
const PATIENCE: Duration = Duration::from_millis(200);

/// Waits until the directory of a cache is loaded, if it is small.
pub async fn wait_until_loaded(cache: &MediaCache) {
    let directory = cache.directory().to_owned();
    let look = tokio::task::spawn_blocking(move || is_small(&directory));
    let wait = async {
        if look.await.is_ok_and(|is_small| is_small) {
            cache.loaded().await.ok();
        }
    };
    let _ = tokio::time::timeout(PATIENCE, wait).await;
}

/// Whether the directory has few files. A directory that cannot be listed counts as empty.
fn is_small(directory: &Path) -> bool {
    directory.read_dir().map_or(0, |files| files.take(FILES + 1).count()) <= FILES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_is_small_up_to_the_maximum_number_of_files() {
        let directory = tempfile::tempdir().unwrap();
        assert!(is_small(directory.path()) && is_small(&directory.path().join("missing")));
        let fill = |numbers: std::ops::Range<usize>| {
            numbers.for_each(|number| std::fs::write(directory.path().join(number.to_string()), "").unwrap());
        };
        fill(0..FILES);
        assert!(is_small(directory.path()));
        fill(FILES..FILES + 1);
        assert!(!is_small(directory.path()));
    }
}
