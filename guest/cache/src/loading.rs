//! What matters until the directory is loaded.

use media_cache_entry_files::DigestMap;

/// What matters until the directory is loaded.
#[derive(Default)]
pub(crate) struct Loading {
    /// Entries that were removed meanwhile, whatever the log and the listing say.
    pub removed: DigestMap<()>,
    /// Hits that the log knows of entries that were requested before it was read that far.
    pub earlier_hits: DigestMap<u32>,
    /// Whether the policy has learned of all entries.
    pub restored: bool,
}
