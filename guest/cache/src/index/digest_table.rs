//! Finds slots by digest.
//!
//! A hash table moves all its elements whenever it grows, which takes tens of milliseconds with a million entries. Therefore there are many
//! small tables, which grow one at a time. Digests are uniformly distributed, and so is each of their bytes.

use hashbrown::HashTable;
use media_cache_entry_files::KeyDigest;

const SHARDS: usize = 256;

/// The slots of entries by digest. The table does not store digests: the caller provides the digest of a slot.
pub(super) struct DigestTable {
    shards: Vec<HashTable<u32>>,
    len: usize,
}

impl Default for DigestTable {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| HashTable::new()).collect(), len: 0 }
    }
}

impl DigestTable {
    pub fn len(&self) -> usize {
        self.len
    }

    /// The slot with this fingerprint for which `is_it` is true.
    pub fn find(&self, fingerprint: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.shards[shard(fingerprint)].find(fingerprint, |slot| is_it(*slot)).copied()
    }

    /// Adds a slot that is not in the table.
    pub fn insert(&mut self, fingerprint: u64, slot: u32, digest_of: impl Fn(u32) -> KeyDigest) {
        self.shards[shard(fingerprint)].insert_unique(fingerprint, slot, |slot| digest_of(*slot).fingerprint());
        self.len += 1;
    }

    /// Removes a slot.
    pub fn remove(&mut self, fingerprint: u64, slot: u32) {
        if let Ok(found) = self.shards[shard(fingerprint)].find_entry(fingerprint, |other| *other == slot) {
            found.remove();
            self.len -= 1;
        }
    }
}

/// The hash tables themselves use other bits of the fingerprint.
fn shard(fingerprint: u64) -> usize {
    (fingerprint >> 32) as usize % SHARDS
}
