//! An entry in the index, with only the data that decisions need. A million entries should take little memory, so data that only a response
//! needs (URL, media type, file name) stays in the sidecar, which is read together with the media.

use media_cache_entry_files::{KeyDigest, Sidecar, disk_size};

use crate::bindings::media_cache::cache::storage::Stamp;
use crate::bindings::media_cache::policy::eviction::{self, MediaKind};
use crate::media_kind::media_kind;

/// The state of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// It exists according to the index log or a listing of the directory. Loading the directory verifies this.
    Unverified,
    /// Its files are being written. Until both exist, the entry only reserves space.
    Reserved,
    /// Both files exist.
    Stored,
    /// Both files exist, and are being replaced.
    Replacing,
}

/// An entry in the index.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The digest of the cache key, which names the files.
    pub digest: KeyDigest,
    /// The size of the media in bytes.
    pub size: u64,
    /// When the entry was last requested, or stored.
    pub accessed_at: u64,
    /// When the sidecar was last written according to the file system, in nanoseconds since 1970.
    pub sidecar_modified: u64,
    /// The size of the sidecar in bytes.
    pub sidecar_size: u32,
    /// Requests for the entry since it was stored.
    pub hits: u32,
    /// How long the fetch took, in milliseconds. 0 if unknown.
    pub cost: u32,
    /// Requests that waited for the fill. 0 after a restart.
    pub waiters: u32,
    /// The kind of media.
    pub kind: MediaKind,
    /// Its state.
    pub state: EntryState,
    /// Whether the policy of the disk tier tracks it.
    pub tracked: bool,
    /// Whether the index log contains this description, apart from the time of the last request and the hits.
    pub logged: bool,
    /// Which of its files a listing has found, while the directory is being loaded.
    pub found: FoundFiles,
}

/// Which files of an entry a listing has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FoundFiles {
    /// The media.
    pub media: bool,
    /// The sidecar.
    pub sidecar: bool,
    /// Whether a file differs from its description in the index log.
    pub differ: bool,
    /// Whether a file could not be inspected.
    pub uninspected: bool,
}

impl Entry {
    /// An entry that has not been requested yet, as its sidecar describes it.
    #[must_use]
    pub fn new(digest: KeyDigest, sidecar: &Sidecar, stamp: Stamp, state: EntryState) -> Self {
        Self {
            digest,
            size: sidecar.size,
            accessed_at: sidecar.metadata.stored_at,
            sidecar_modified: stamp.modified,
            sidecar_size: sidecar_size(stamp),
            hits: 0,
            cost: sidecar.metadata.cost,
            waiters: 0,
            kind: media_kind(&sidecar.metadata.mimetype),
            state,
            tracked: false,
            logged: false,
            found: FoundFiles::default(),
        }
    }

    /// An entry whose other properties are not known yet.
    #[must_use]
    pub fn unverified(digest: KeyDigest) -> Self {
        Self {
            digest,
            size: 0,
            accessed_at: 0,
            sidecar_modified: 0,
            sidecar_size: 0,
            hits: 0,
            cost: 0,
            waiters: 0,
            kind: MediaKind::Other,
            state: EntryState::Unverified,
            tracked: false,
            logged: false,
            found: FoundFiles::default(),
        }
    }

    /// Whether both of its files exist, as far as is known.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        matches!(self.state, EntryState::Stored | EntryState::Replacing)
    }

    /// Whether its files are being written, so that it can be neither evicted nor removed.
    #[must_use]
    pub fn is_being_written(&self) -> bool {
        matches!(self.state, EntryState::Reserved | EntryState::Replacing)
    }

    /// The version of the sidecar that the entry was read from.
    #[must_use]
    pub fn sidecar(&self) -> Stamp {
        Stamp { size: self.sidecar_size.into(), modified: self.sidecar_modified }
    }

    /// Whether this is the version of the sidecar that the entry was read from.
    #[must_use]
    pub fn has_sidecar(&self, stamp: Stamp) -> bool {
        let sidecar = self.sidecar();
        (sidecar.modified, sidecar.size) == (stamp.modified, stamp.size)
    }

    /// The disk usage of the entry.
    #[must_use]
    pub fn disk_size(&self) -> u64 {
        disk_size(self.size, self.sidecar_size.into())
    }

    /// The entry as a policy sees it, with its id and its size in the unit of the tier.
    #[must_use]
    pub fn for_policy(&self, id: eviction::EntryId, size: u64) -> eviction::Entry {
        eviction::Entry {
            id,
            fingerprint: self.digest.fingerprint(),
            size,
            hits: self.hits.into(),
            accessed_at: self.accessed_at,
            cost: self.cost,
            waiters: self.waiters,
            kind: self.kind,
        }
    }
}

/// An evicted entry whose files have to be deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evicted {
    pub digest: KeyDigest,
    pub disk_size: u64,
}

impl From<&Entry> for Evicted {
    fn from(entry: &Entry) -> Self {
        Self { digest: entry.digest, disk_size: entry.disk_size() }
    }
}

/// The size of a sidecar, capped at the largest 32-bit number. A sidecar of that size is too large to be read anyway.
pub(crate) fn sidecar_size(stamp: Stamp) -> u32 {
    u32::try_from(stamp.size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_usage_is_counted_in_blocks() {
        assert_eq!(disk_size(0, 1), 4096);
        assert_eq!(disk_size(1, 1), 8192);
        assert_eq!(disk_size(4096, 4097), 12288);
        assert_eq!(disk_size(u64::MAX, 1), u64::MAX);
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 80, "{}", size_of::<Entry>());
    }
}
