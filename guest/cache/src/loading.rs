//! State that is needed until the directory is loaded.

use media_cache_entry_files::DigestMap;

/// State that is needed until the directory is loaded.
#[derive(Default)]
pub(crate) struct Loading {
    /// Entries that were removed since the load began, even if the log or the listing still contains them.
    pub removed: DigestMap<()>,
    /// Hits from the log on entries that were requested before their records were read.
    pub earlier_hits: DigestMap<u32>,
    /// Whether all entries have been reported to the policy.
    pub restored: bool,
}
