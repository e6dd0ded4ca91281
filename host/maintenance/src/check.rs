//! Checks the two files of an entry.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use media_cache_entry_files::{KeyDigest, Sidecar};

use crate::body;
use crate::damage::Damage;
use crate::directory::{EntryDirectory, SidecarFile};

/// How many times two files that disagree are checked, since another process may have replaced both in the meantime.
const LOOKS: u32 = 3;

/// An entry whose files agree.
pub struct StoredEntry {
    /// The parsed sidecar.
    pub sidecar: Sidecar,
    /// The bytes of the sidecar.
    pub json: Vec<u8>,
    /// The body, from its start.
    pub body: File,
    /// The SHA-256 digest of the body.
    pub digest: [u8; 32],
}

impl EntryDirectory {
    /// The entry with this digest, if it is stored. Its body was read once, and has the size and the digest in its sidecar. Another process
    /// may replace or remove the entry in the meantime.
    ///
    /// # Errors
    /// If its files are damaged or unreadable, with the reason.
    pub fn entry(&self, digest: KeyDigest) -> Result<Option<StoredEntry>, Damage> {
        self.check(digest, &mut |_| {})
    }

    /// Like [`entry`](Self::entry). `read` is called with the number of bytes of each read.
    pub(crate) fn check(&self, digest: KeyDigest, read: &mut dyn FnMut(usize)) -> Result<Option<StoredEntry>, Damage> {
        let mut found = self.check_once(digest, read);
        for _ in 1..LOOKS {
            match &found {
                Err(Damage::Size { .. } | Damage::Digest | Damage::NoBody | Damage::NoSidecar) => {}
                _ => break,
            }
            found = self.check_once(digest, read);
        }
        found
    }

    fn check_once(&self, digest: KeyDigest, read: &mut dyn FnMut(usize)) -> Result<Option<StoredEntry>, Damage> {
        let name = digest.media_file();
        let sidecar = self.read_sidecar(&digest.sidecar_file(), digest)?;
        let body = self.open(&name)?;
        let (SidecarFile { sidecar, json }, (mut body, metadata)) = match (sidecar, body) {
            (Some(sidecar), Some(body)) => (sidecar, body),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(Damage::NoBody),
            (None, Some(_)) => return Err(Damage::NoSidecar),
        };
        if metadata.len() != sidecar.size {
            return Err(Damage::Size { expected: sidecar.size, actual: metadata.len() });
        }
        let mut length = 0;
        let found = body::digest(&mut body, |piece| {
            length += piece as u64;
            read(piece);
        });
        let rewound = found.and_then(|found| body.seek(SeekFrom::Start(0)).map(|_| found));
        let found = rewound.map_err(|error| Damage::Unreadable { file: name, error })?;
        if length != sidecar.size {
            return Err(Damage::Size { expected: sidecar.size, actual: length });
        }
        if sidecar.body_digest.is_some_and(|expected| expected != found) {
            return Err(Damage::Digest);
        }
        Ok(Some(StoredEntry { sidecar, json, body, digest: found }))
    }
}
