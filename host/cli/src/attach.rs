//! Attaches to the process that owns a directory.

use std::path::Path;
use std::time::Duration;

use media_cache_attach::{SharedCache, Sharing};

use crate::config::Settings;
use crate::directory_options;

/// How long to wait for a process that uses a directory without sharing it: it may be another command, or a service that is
/// starting or stopping.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How a command uses a directory together with other processes. They cannot attach to it, since it runs only for a moment.
pub fn sharing(settings: &Settings) -> Sharing {
    Sharing { options: directory_options::explicit(settings), max_wait: MAX_WAIT, is_shared: false }
}

/// The cache of the process that owns a directory. `None` if there is no such process.
///
/// # Errors
/// Returns an error with a message for the user.
pub async fn to_owner(directory: &Path, settings: &Settings) -> anyhow::Result<Option<SharedCache>> {
    Ok(SharedCache::attach(directory, sharing(settings)).await?)
}
