//! Keeps track of entries that are removed or replaced while their objects are read or written, so that an older version does not return.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media_cache_entry_files::{DigestMap, KeyDigest};

/// The entries whose objects are being read or written.
#[derive(Default)]
pub(crate) struct Changes(Mutex<DigestMap<InUse>>);

#[derive(Default)]
struct InUse {
    users: usize,
    generation: u64,
    writer: Arc<tokio::sync::Mutex<()>>,
}

/// A use of an entry, until this is dropped.
pub(crate) struct Use<'a> {
    changes: &'a Changes,
    digest: KeyDigest,
    generation: u64,
    writer: Arc<tokio::sync::Mutex<()>>,
}

impl Changes {
    /// Begins to use an entry.
    pub fn begin(&self, digest: KeyDigest) -> Use<'_> {
        let mut entries = self.lock();
        let entry = entries.entry(digest).or_default();
        entry.users += 1;
        Use { changes: self, digest, generation: entry.generation, writer: entry.writer.clone() }
    }

    /// Makes all current uses of an entry outdated.
    pub fn change(&self, digest: KeyDigest) {
        if let Some(entry) = self.lock().get_mut(&digest) {
            entry.generation += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, DigestMap<InUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use<'_> {
    /// Whether the entry was neither removed nor replaced since this use began.
    pub fn is_current(&self) -> bool {
        self.changes.lock().get(&self.digest).is_some_and(|entry| entry.generation == self.generation)
    }

    /// Waits until no other use writes the objects of the entry, and excludes others until the guard is dropped.
    pub async fn write(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writer.lock().await
    }
}

impl Drop for Use<'_> {
    fn drop(&mut self) {
        let mut entries = self.changes.lock();
        if let Some(entry) = entries.get_mut(&self.digest) {
            entry.users -= 1;
            if entry.users == 0 {
                entries.remove(&self.digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn change_concerns_the_uses_that_have_begun() {
        let (changes, digest) = (Changes::default(), KeyDigest::of("a"));
        changes.change(digest);
        let (first, other) = (changes.begin(digest), changes.begin(KeyDigest::of("b")));
        assert!(first.is_current() && other.is_current());
        changes.change(digest);
        let second = changes.begin(digest);
        assert_eq!([&first, &second, &other].map(Use::is_current), [false, true, true]);
        let writing = first.write().await;
        assert!(futures::FutureExt::now_or_never(second.write()).is_none());
        drop(writing);
        drop((first, second));
        assert_eq!(changes.lock().len(), 1);
    }
}
