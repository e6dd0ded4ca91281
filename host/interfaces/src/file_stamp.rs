//! What a file system says about an open file, by which a change by another program shows without reading the file.

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

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// It has more or fewer names.
    Names,
    /// Its times changed, and perhaps bytes with them.
    Times,
    /// It is longer or shorter, or another file.
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

    /// Whether the size, times and number of names of this very file are as they were.
    pub fn is_of(&self, now: &Statx) -> bool {
        let time = |time: &StatxTimestamp| (time.tv_sec, i64::from(time.tv_nsec));
        (self.size, self.names) == (now.stx_size, u64::from(now.stx_nlink))
            && (self.modified, self.changed) == (time(&now.stx_mtime), time(&now.stx_ctime))
    }

    /// What happened between this stamp and a later one.
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
