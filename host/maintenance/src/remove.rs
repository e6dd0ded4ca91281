//! Removes entries. The caller holds the lock of the directory.

use std::fs;
use std::io;

use media_cache_entry_files::{DigestMap, FileKind, KeyDigest};
use media_cache_key_rules::EntryFilter;

use crate::directory::EntryDirectory;

/// A file that could not be deleted.
#[derive(Debug, thiserror::Error)]
#[error("cannot delete {file}: {error}")]
pub struct RemoveError {
    /// The name of the file.
    pub file: String,
    /// The error of the operating system.
    pub error: io::Error,
}

/// The result of removing the entries that match a filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemovalSummary {
    /// Entries whose files were all deleted.
    pub removed: u64,
    /// Entries with a file that could not be deleted.
    pub failed: u64,
}

impl EntryDirectory {
    /// Deletes a file. Returns whether it existed.
    pub(crate) fn delete(&self, name: String) -> Result<bool, RemoveError> {
        match fs::remove_file(self.file(&name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(RemoveError { file: name, error }),
        }
    }

    /// Removes the entry with this digest, and files under its name that belong to no entry. Returns whether anything was deleted.
    ///
    /// # Errors
    /// For the first file that could not be deleted. The others are still deleted, except that the body is kept as long as its sidecar
    /// exists.
    pub fn remove(&self, digest: KeyDigest) -> Result<bool, RemoveError> {
        let new = [digest.new_sidecar_file(), digest.new_media_file()].map(|name| self.delete(name));
        // Without the sidecar it is not an entry.
        let sidecar = self.delete(digest.sidecar_file())?;
        let body = self.delete(digest.media_file())?;
        new.into_iter().try_for_each(|deleted| deleted.map(drop))?;
        Ok(sidecar || body)
    }

    /// The matching entries. An unreadable sidecar matches only [`EntryFilter::All`].
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn matching(&self, filter: &EntryFilter) -> io::Result<Vec<KeyDigest>> {
        let mut matching = self.stored()?;
        matching.retain(|digest| {
            let sidecar = || self.read_sidecar(&digest.sidecar_file(), *digest).ok().flatten();
            *filter == EntryFilter::All || sidecar().is_some_and(|read| filter.matches(&read.sidecar.url))
        });
        Ok(matching)
    }

    /// Removes all [matching](Self::matching) entries. `failed` is called for each entry that could not be removed. [`EntryFilter::All`]
    /// also deletes files that belong to no entry.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn remove_matching(&self, filter: &EntryFilter, mut failed: impl FnMut(RemoveError)) -> io::Result<RemovalSummary> {
        let mut summary = RemovalSummary::default();
        for digest in self.matching(filter)? {
            match self.remove(digest) {
                Ok(_) => summary.removed += 1,
                Err(error) => {
                    summary.failed += 1;
                    failed(error);
                }
            }
        }
        if *filter == EntryFilter::All {
            self.remove_orphans(failed)?;
        }
        Ok(summary)
    }

    /// Deletes all files that belong to no entry.
    fn remove_orphans(&self, failed: impl FnMut(RemoveError)) -> io::Result<()> {
        let stored: DigestMap<()> = self.stored()?.into_iter().map(|digest| (digest, ())).collect();
        let files = self.files()?.collect::<io::Result<Vec<_>>>()?;
        let orphans = files.into_iter().filter(|(_, kind)| match kind {
            FileKind::Media(digest) | FileKind::NewMedia(digest) | FileKind::NewSidecar(digest) => !stored.contains_key(digest),
            FileKind::Leftover => true,
            _ => false,
        });
        orphans.filter_map(|(name, _)| self.delete(name).err()).for_each(failed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_directory::TestDirectory;

    fn remaining(dir: &TestDirectory, filter: &EntryFilter) -> (RemovalSummary, Vec<String>) {
        let summary = dir.open().remove_matching(filter, |error| panic!("{error}")).unwrap();
        (summary, dir.names())
    }

    #[test]
    fn removal_deletes_only_the_file_pairs_of_matching_entries() {
        let dir = TestDirectory::create();
        for url in ["https://a.org/1", "https://a.org/2", "https://b.org/1"] {
            dir.store(url, b"body");
        }
        dir.write("notes.txt", b"");
        let (summary, names) = remaining(&dir, &EntryFilter::host("A.org").unwrap());
        assert_eq!(summary, RemovalSummary { removed: 2, failed: 0 });
        assert_eq!(names.len(), 3);
        let (summary, _) = remaining(&dir, &EntryFilter::Prefix("https://b.org/2".into()));
        assert_eq!(summary, RemovalSummary::default());
        dir.write(&KeyDigest::of("orphan").media_file(), b"body");
        dir.write(&format!("{}.tmp", KeyDigest::of("left").sidecar_file()), b"body");
        let (summary, names) = remaining(&dir, &EntryFilter::All);
        assert_eq!((summary, names), (RemovalSummary { removed: 1, failed: 0 }, vec!["notes.txt".into()]));
    }

    #[test]
    fn removal_reports_an_undeletable_entry_and_removes_the_others() {
        let dir = TestDirectory::create();
        for url in ["https://a.org/1", "https://a.org/2"] {
            dir.store(url, b"body");
        }
        let digest = KeyDigest::of("https://a.org/1");
        fs::remove_file(dir.path(&digest.media_file())).unwrap();
        fs::create_dir(dir.path(&digest.media_file())).unwrap();
        let mut failed = Vec::new();
        let summary = dir.open().remove_matching(&EntryFilter::All, |error| failed.push(error.file)).unwrap();
        assert_eq!(summary, RemovalSummary { removed: 1, failed: 1 });
        assert_eq!(failed, [digest.media_file(), digest.media_file()], "once as an entry, once as an orphan");
        assert_eq!(dir.names(), [digest.media_file()]);
    }
}
