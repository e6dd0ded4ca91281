//! A stored entry, as the index and the policies see it.

use std::rc::Rc;

use media_cache_entry_files::{KeyDigest, Metadata, Sidecar};

use crate::bindings::media_cache::policy::eviction;
use crate::media_kind::media_kind;

/// The block in which disk usage is counted, in bytes.
pub const BLOCK: u64 = 4096;

/// The disk usage of both files of an entry, in whole blocks.
#[must_use]
pub fn disk_size(media: u64, sidecar: u64) -> u64 {
    let blocks = |bytes: u64| bytes.div_ceil(BLOCK).saturating_mul(BLOCK);
    blocks(media).saturating_add(blocks(sidecar))
}

/// A stored entry. `B` is a handle to bytes.
pub struct Entry<B> {
    /// The digest of the cache key, which names the files.
    pub digest: KeyDigest,
    /// The cache key.
    pub url: String,
    /// What is known about the media, shared with the requests for it.
    pub metadata: Rc<Metadata>,
    /// The size of the media in bytes.
    pub size: u64,
    /// The size of the sidecar in bytes.
    pub sidecar_size: u64,
    /// When the entry was last requested, or stored.
    pub accessed_at: u64,
    /// Requests for the entry since it was stored.
    pub hits: u64,
    /// Requests that waited for the fill. 0 after a restart.
    pub waiters: u32,
    /// The SHA-256 digest of the media, if it is known.
    pub body_digest: Option<[u8; 32]>,
    /// Whether both files are written. Until then the entry only reserves space.
    pub committed: bool,
    /// Whether this comes from the snapshot. The sidecar has the last word, when the entry is read for the first time.
    pub from_snapshot: bool,
    /// The bytes, while the entry is resident: in memory or as an open file.
    pub resident: Option<B>,
    /// The bytes, while the files are being replaced.
    pub replacing: Option<B>,
}

impl<B> Entry<B> {
    /// A committed entry that nobody has requested yet.
    #[must_use]
    pub fn from_sidecar(digest: KeyDigest, sidecar: Sidecar, sidecar_size: u64) -> Self {
        Self {
            digest,
            url: sidecar.url,
            accessed_at: sidecar.metadata.stored_at,
            metadata: sidecar.metadata,
            size: sidecar.size,
            sidecar_size,
            hits: 0,
            waiters: 0,
            body_digest: sidecar.body_digest,
            committed: true,
            from_snapshot: false,
            resident: None,
            replacing: None,
        }
    }

    /// Whether its files are being written, so that it can be neither evicted nor removed.
    #[must_use]
    pub fn is_being_written(&self) -> bool {
        !self.committed || self.replacing.is_some()
    }

    /// The disk usage of the entry.
    #[must_use]
    pub fn disk_size(&self) -> u64 {
        disk_size(self.size, self.sidecar_size)
    }

    /// The entry as a policy sees it, with its id and its size in the unit of the tier.
    #[must_use]
    pub fn for_policy(&self, id: eviction::EntryId, size: u64) -> eviction::Entry {
        eviction::Entry {
            id,
            fingerprint: self.digest.fingerprint(),
            size,
            hits: self.hits,
            accessed_at: self.accessed_at,
            cost: self.metadata.cost,
            waiters: self.waiters,
            kind: media_kind(&self.metadata.mimetype),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::media_cache::policy::eviction::MediaKind;

    #[test]
    fn disk_usage_is_counted_in_whole_blocks_for_both_files() {
        assert_eq!(disk_size(0, 1), 4096);
        assert_eq!(disk_size(1, 1), 8192);
        assert_eq!(disk_size(4096, 4096), 8192);
        assert_eq!(disk_size(4097, 200), 12288);
    }

    #[test]
    fn a_policy_sees_cost_waiters_and_kind() {
        let metadata = Metadata { cost: 250, ..Metadata::new("video/mp4".into(), "a.mp4", 7) };
        let sidecar = Sidecar { url: "https://x/a".into(), size: 10, body_digest: None, metadata: metadata.into() };
        let entry = Entry::<()> { waiters: 3, hits: 2, ..Entry::from_sidecar(KeyDigest::of("https://x/a"), sidecar, 100) };
        let seen = entry.for_policy(5, 8192);
        assert_eq!((seen.id, seen.size, seen.hits, seen.accessed_at), (5, 8192, 2, 7));
        assert_eq!((seen.cost, seen.waiters, seen.kind), (250, 3, MediaKind::Video));
        assert_eq!(seen.fingerprint, KeyDigest::of("https://x/a").fingerprint());
    }
}
