//! The metadata of an open file, which reveals changes by other programs without reading the file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{Statx, StatxTimestamp};

/// Identity, size and times of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    names: u64,
}

/// How a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing changed.
    None,
    /// The number of its names changed.
    Names,
    /// Its times changed, and possibly its bytes.
    Times,
    /// Its length changed, or it is a different file.
    Bytes,
}

impl FileStamp {
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            names: metadata.nlink(),
        }
    }

    /// Whether this is the same file, with unchanged size, times and number of names.
    pub fn is_of(&self, now: &Statx) -> bool {
        let time = |time: &StatxTimestamp| (time.tv_sec, i64::from(time.tv_nsec));
        (self.size, self.names) == (now.stx_size, u64::from(now.stx_nlink))
            && (self.modified, self.changed) == (time(&now.stx_mtime), time(&now.stx_ctime))
    }

    /// Whether the file was written to between this stamp and a later one, as far as size and time show.
    pub fn was_written(&self, later: &Self) -> bool {
        (self.file, self.size, self.modified) != (later.file, later.size, later.modified)
    }

    /// The change between this stamp and a later one.
    pub fn change_to(&self, later: &Self) -> Change {
        if self == later {
            Change::None
        } else if (self.file, self.size) != (later.file, later.size) {
            Change::Bytes
        } else if self.modified == later.modified && self.names != later.names {
            Change::Names
        } else {
            Change::Times
        }
    }
}
