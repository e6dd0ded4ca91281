//! An existing directory of entries. Nothing here creates a file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use media_cache_entry_files::{FileKind, KeyDigest, LARGEST_SIDECAR, Sidecar};
use rustix::fs::OFlags;

use crate::damage::Damage;

/// The directory of a cache.
#[derive(Clone, Debug)]
pub struct EntryDirectory {
    path: PathBuf,
}

/// Why a path is not the directory of a cache.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is nothing at the path.
    #[error("there is no directory {}", .0.display())]
    Missing(PathBuf),
    /// The path is not a directory.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The directory cannot be inspected.
    #[error("cannot use the directory {}: {error}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
}

/// A sidecar, and the bytes that it was read from.
pub(crate) struct SidecarFile {
    pub sidecar: Sidecar,
    pub json: Vec<u8>,
}

impl EntryDirectory {
    /// The directory at a path, which must exist.
    ///
    /// # Errors
    /// If there is none, or it cannot be inspected.
    pub fn existing(path: &Path) -> Result<Self, DirectoryError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(Self { path: path.into() }),
            Ok(_) => Err(DirectoryError::NotADirectory(path.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(DirectoryError::Missing(path.into())),
            Err(error) => Err(DirectoryError::Unusable { path: path.into(), error }),
        }
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The files of entries and their kinds, in no particular order. Files with other names are skipped.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(crate) fn files(&self) -> io::Result<impl Iterator<Item = io::Result<(String, FileKind)>>> {
        let own = |file: io::Result<fs::DirEntry>| match file {
            Ok(file) => {
                let name = file.file_name().into_string().ok()?;
                let kind = FileKind::of(&name);
                (kind != FileKind::Foreign).then_some(Ok((name, kind)))
            }
            Err(error) => Some(Err(error)),
        };
        Ok(fs::read_dir(&self.path)?.filter_map(own))
    }

    /// Whether the directory contains any file of an entry.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub fn has_entries(&self) -> io::Result<bool> {
        Ok(self.files()?.next().transpose()?.is_some())
    }

    /// The digests of all sidecars, in no particular order.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(crate) fn stored(&self) -> io::Result<Vec<KeyDigest>> {
        let sidecar = |file: io::Result<(String, FileKind)>| match file {
            Ok((_, FileKind::Sidecar(digest))) => Some(Ok(digest)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        self.files()?.filter_map(sidecar).collect()
    }

    /// Opens a regular file. `None` if it does not exist. Links are not followed, and a pipe does not block.
    pub(crate) fn open(&self, name: &str) -> Result<Option<(File, Metadata)>, Damage> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = File::options().read(true).custom_flags(flags.bits() as i32).open(self.file(name));
        let opened = opened.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
        match opened {
            Ok((file, metadata)) if metadata.is_file() => Ok(Some((file, metadata))),
            Ok(_) => Err(Damage::NotAFile(name.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // It is a link or a socket.
            Err(_) if fs::symlink_metadata(self.file(name)).is_ok_and(|metadata| !metadata.is_file()) => {
                Err(Damage::NotAFile(name.into()))
            }
            Err(error) => Err(Damage::Unreadable { file: name.into(), error }),
        }
    }

    /// Reads the sidecar in a file, if the file exists and describes the entry with this digest.
    pub(crate) fn read_sidecar(&self, name: &str, digest: KeyDigest) -> Result<Option<SidecarFile>, Damage> {
        let Some((file, _)) = self.open(name)? else { return Ok(None) };
        let mut json = Vec::new();
        let read = file.take(LARGEST_SIDECAR + 1).read_to_end(&mut json);
        read.map_err(|error| Damage::Unreadable { file: name.into(), error })?;
        let sidecar = Some(&json).filter(|json| json.len() as u64 <= LARGEST_SIDECAR).and_then(|json| Sidecar::from_json(json));
        let sidecar = sidecar.ok_or(Damage::InvalidSidecar)?;
        if KeyDigest::of(&sidecar.url) != digest {
            return Err(Damage::OtherEntry);
        }
        Ok(Some(SidecarFile { sidecar, json }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_directory_is_named_in_the_error_and_not_created() {
        let root = tempfile::tempdir().unwrap();
        let missing = root.path().join("typo");
        let error = EntryDirectory::existing(&missing).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no directory {}", missing.display()));
        assert!(!missing.exists());
        fs::write(&missing, "").unwrap();
        assert!(matches!(EntryDirectory::existing(&missing), Err(DirectoryError::NotADirectory(_))));
    }
}
