//! Files of entries that are no longer in the index, and that could not be deleted, or files of entries that could not be read. They
//! take up space, so they count against the budget, and deleting them is tried again.

use media_cache_entry_files::{DigestMap, KeyDigest};

/// The files, by entry.
#[derive(Default)]
pub struct Remains {
    undeleted: DigestMap<u64>,
    disk_bytes: u64,
}

impl Remains {
    /// Notes that files of an entry, of this disk size, could not be deleted.
    pub fn add_undeleted(&mut self, digest: KeyDigest, disk_size: u64) {
        let known = self.undeleted.entry(digest).or_default();
        // Whoever tries again may not know how much it is.
        let more = disk_size.saturating_sub(*known);
        *known += more;
        self.disk_bytes = self.disk_bytes.saturating_add(more);
    }

    /// Notes that files of an entry could not be read when the directory was loaded. They stay where they are, for a start that can.
    pub fn add_unreadable(&mut self, disk_size: u64) {
        self.disk_bytes = self.disk_bytes.saturating_add(disk_size);
    }

    /// Notes that the files of an entry are gone.
    pub fn deleted(&mut self, digest: &KeyDigest) {
        if let Some(disk_size) = self.undeleted.remove(digest) {
            self.disk_bytes = self.disk_bytes.saturating_sub(disk_size);
        }
    }

    /// Whether files of this entry could not be deleted.
    #[must_use]
    pub fn has(&self, digest: &KeyDigest) -> bool {
        self.undeleted.contains_key(digest)
    }

    /// Up to `limit` entries whose files could not be deleted.
    #[must_use]
    pub fn some(&self, limit: usize) -> Vec<KeyDigest> {
        self.undeleted.keys().take(limit).copied().collect()
    }

    /// The disk usage of the files.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_until_they_are_deleted() {
        let (mut remains, [a, b]) = (Remains::default(), ["a", "b"].map(KeyDigest::of));
        remains.add_undeleted(a, 4096);
        remains.add_undeleted(a, 8192);
        remains.add_undeleted(a, 0);
        remains.add_undeleted(b, 4096);
        remains.add_unreadable(12288);
        assert_eq!(remains.disk_bytes(), 24576);
        remains.deleted(&a);
        remains.deleted(&a);
        assert_eq!((remains.disk_bytes(), remains.has(&a), remains.some(9)), (16384, false, vec![b]));
    }
}
