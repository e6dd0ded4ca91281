//! Files of entries that are not in the index: files that could not be deleted, and files that could not be read. They take up space, so
//! they count against the budget. Deleting or reading them is retried.

use std::collections::BTreeMap;
use std::ops::Bound;

use media_cache_entry_files::KeyDigest;

use crate::entry::Evicted;

/// The files, by entry.
#[derive(Default)]
pub struct Remains {
    files: BTreeMap<KeyDigest, Remainder>,
    disk_bytes: u64,
    tried: Tried,
}

/// The entries that were tried last. The next attempt begins after them, so that all entries take turns.
#[derive(Clone, Copy, Default)]
struct Tried {
    undeleted: Option<KeyDigest>,
    unreadable: Option<KeyDigest>,
}

#[derive(Default)]
struct Remainder {
    disk_size: u64,
    /// The cache key, if it is known but no longer in the sidecar.
    url: Option<Box<str>>,
    /// Whether the files have to be deleted. If not, they are left in place for a later start that can read them.
    undeleted: bool,
}

impl Remains {
    /// Records that files of an entry, of this disk size, could not be deleted.
    pub fn add_undeleted(&mut self, digest: KeyDigest, disk_size: u64) {
        self.add(digest, disk_size).undeleted = true;
    }

    /// Records that files of an entry could not be read when the directory was loaded.
    pub fn add_unreadable(&mut self, digest: KeyDigest, disk_size: u64) {
        self.add(digest, disk_size);
    }

    fn add(&mut self, digest: KeyDigest, disk_size: u64) -> &mut Remainder {
        let known = self.files.entry(digest).or_default();
        // A retry does not always know the size, and then passes 0.
        let more = disk_size.saturating_sub(known.disk_size);
        known.disk_size += more;
        self.disk_bytes = self.disk_bytes.saturating_add(more);
        known
    }

    /// Records that the files of an entry no longer exist, or belong to an entry in the index.
    pub fn forget(&mut self, digest: &KeyDigest) {
        if let Some(known) = self.files.remove(digest) {
            self.disk_bytes = self.disk_bytes.saturating_sub(known.disk_size);
        }
    }

    /// Whether there are files of this entry.
    #[must_use]
    pub fn has(&self, digest: &KeyDigest) -> bool {
        self.files.contains_key(digest)
    }

    /// Whether there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The entries whose files could not be read, starting after the last one that was tried.
    pub fn unreadable(&self) -> impl Iterator<Item = KeyDigest> + '_ {
        self.from(self.tried.unreadable, false)
    }

    /// Whether there are entries whose files could not be read.
    #[must_use]
    pub fn has_unreadable(&self) -> bool {
        self.unreadable().next().is_some()
    }

    /// The entries whose files could not be deleted, starting after the last one that was tried.
    pub fn undeleted(&self) -> impl Iterator<Item = KeyDigest> + '_ {
        self.from(self.tried.undeleted, true)
    }

    /// Records the last entries whose deletion or reading is being retried now. The next attempt starts after them.
    pub fn tried(&mut self, undeleted: Option<&KeyDigest>, unreadable: Option<&KeyDigest>) {
        let Tried { undeleted: last_undeleted, unreadable: last_unreadable } = self.tried;
        self.tried =
            Tried { undeleted: undeleted.copied().or(last_undeleted), unreadable: unreadable.copied().or(last_unreadable) };
    }

    fn from(&self, last: Option<KeyDigest>, undeleted: bool) -> impl Iterator<Item = KeyDigest> + '_ {
        let (after, up_to) = match last {
            Some(last) => (Bound::Excluded(last), Bound::Included(last)),
            // Nothing was tried yet: the first range contains all entries, and the second one none.
            None => (Bound::Unbounded, Bound::Excluded(KeyDigest::from_bytes([0; 32]))),
        };
        let in_turn = self.files.range((after, Bound::Unbounded)).chain(self.files.range((Bound::Unbounded, up_to)));
        in_turn.filter(move |(_, remainder)| remainder.undeleted == undeleted).map(|(digest, _)| *digest)
    }

    /// The digests of all entries.
    #[must_use]
    pub fn digests(&self) -> Vec<KeyDigest> {
        self.files.keys().copied().collect()
    }

    /// The files of an entry, if there are any.
    pub(crate) fn files_of(&self, digest: &KeyDigest) -> Option<Evicted> {
        self.files.get(digest).map(|remainder| Evicted { digest: *digest, disk_size: remainder.disk_size })
    }

    /// Keeps the cache key of an entry, if there are files of it.
    pub fn keep_url(&mut self, digest: &KeyDigest, url: &str) {
        if let Some(known) = self.files.get_mut(digest) {
            known.url = Some(url.into());
        }
    }

    /// The cache key of an entry, if it was kept.
    #[must_use]
    pub fn url(&self, digest: &KeyDigest) -> Option<&str> {
        self.files.get(digest)?.url.as_deref()
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
    fn undeleted_and_unreadable_files_count_until_they_are_forgotten() {
        let (mut remains, [a, b, c]) = (Remains::default(), ["a", "b", "c"].map(KeyDigest::of));
        remains.add_undeleted(a, 4096);
        remains.add_undeleted(a, 8192);
        remains.add_undeleted(a, 0);
        remains.add_undeleted(b, 4096);
        remains.add_unreadable(c, 12288);
        assert_eq!((remains.disk_bytes(), remains.digests().len()), (24576, 3));
        assert_eq!(remains.unreadable().collect::<Vec<_>>(), [c]);
        remains.forget(&a);
        remains.forget(&a);
        assert_eq!((remains.disk_bytes(), remains.has(&a), remains.has(&c)), (16384, false, true));
        assert_eq!(remains.undeleted().collect::<Vec<_>>(), [b]);
        remains.add_undeleted(a, 4096);
        let turns: Vec<_> = (0..4)
            .map(|_| {
                let turn = remains.undeleted().next().unwrap();
                remains.tried(Some(&turn), None);
                turn
            })
            .collect();
        assert!(turns[0] != turns[1] && turns[..2] == turns[2..], "each has its turn");
        remains.forget(&a);
        [b, c].iter().for_each(|digest| remains.forget(digest));
        assert!(remains.is_empty() && !remains.has_unreadable() && remains.disk_bytes() == 0);
    }
}
