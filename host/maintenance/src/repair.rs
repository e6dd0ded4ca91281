//! Repairs the damage that a check found. The caller holds the lock of the directory, so no other process writes.

use std::fs;
use std::io;

use media_cache_entry_files::KeyDigest;

use crate::body;
use crate::damage::Damage;
use crate::directory::EntryDirectory;
use crate::remove::RemoveError;

/// The complete new files of a refresh.
pub(crate) struct NewFiles {
    /// Whether there is a new body. Otherwise the current one is kept.
    has_body: bool,
}

impl EntryDirectory {
    /// Deletes the files of a damaged entry, or files that belong to none. An interrupted refresh is completed if its new files are
    /// complete, and undone otherwise; the entry is kept. Unreadable files are not deleted, since they may be intact.
    pub(crate) fn repair(&self, digest: KeyDigest, damage: &Damage) -> Result<(), RemoveError> {
        match damage {
            Damage::Unreadable { file, .. } => {
                let error = io::Error::other("it is kept, since it cannot be read");
                Err(RemoveError { file: file.clone(), error })
            }
            Damage::UnfinishedRefresh => match self.new_files(digest) {
                Ok(Some(new)) => self.complete_refresh(digest, &new),
                _ => {
                    self.delete(digest.new_sidecar_file())?;
                    self.delete(digest.new_media_file()).map(drop)
                }
            },
            _ => self.remove(digest).map(drop),
        }
    }

    /// The new files of a refresh, if the new sidecar describes the new body or, if there is none, the current body. The next start of a
    /// service would complete such a refresh.
    pub(crate) fn new_files(&self, digest: KeyDigest) -> Result<Option<NewFiles>, Damage> {
        let Some(new) = self.read_sidecar(&digest.new_sidecar_file(), digest)? else { return Ok(None) };
        let (has_body, body) = match self.open(&digest.new_media_file())? {
            Some(body) => (true, Some(body)),
            None => (false, self.open(&digest.media_file())?),
        };
        let Some((mut body, metadata)) = body else { return Ok(None) };
        let found = body::digest(&mut body, |_| {}).map_err(|error| Damage::Unreadable { file: digest.media_file(), error })?;
        let is_whole = metadata.len() == new.sidecar.size && new.sidecar.body_digest == Some(found);
        Ok(is_whole.then_some(NewFiles { has_body }))
    }

    fn complete_refresh(&self, digest: KeyDigest, new: &NewFiles) -> Result<(), RemoveError> {
        let rename = |from: String, to: String| {
            fs::rename(self.file(&from), self.file(&to)).map_err(|error| RemoveError { file: from, error })
        };
        if new.has_body {
            rename(digest.new_media_file(), digest.media_file())?;
        }
        rename(digest.new_sidecar_file(), digest.sidecar_file())
    }
}
