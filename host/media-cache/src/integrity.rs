//! What the background check of all entries has found.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::media::Verified;

/// What the background check has found since the cache was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrityReport {
    /// Entries that were read in full and whose files fit each other. Media is compared with its digest, if that is known.
    pub intact: u64,
    /// The bytes that were read of them.
    pub bytes: u64,
    /// Entries that were damaged, and were dropped.
    pub damaged: u64,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// How often all entries were checked.
    pub passes: u64,
    /// When that was completed last.
    pub last_pass: Option<SystemTime>,
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct Integrity(Mutex<IntegrityReport>);

impl Integrity {
    fn lock(&self) -> MutexGuard<'_, IntegrityReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found so far.
    pub fn report(&self) -> IntegrityReport {
        *self.lock()
    }

    /// Counts a check.
    pub fn count(&self, verified: &Verified) {
        let mut report = self.lock();
        match verified {
            Verified::Intact(bytes) => {
                report.intact += 1;
                report.bytes += bytes;
            }
            Verified::Damaged => report.damaged += 1,
            Verified::Unreadable => report.unreadable += 1,
            Verified::Absent | Verified::InUse => {}
        }
    }

    /// All entries were checked.
    pub fn complete_pass(&self) {
        let mut report = self.lock();
        report.passes += 1;
        report.last_pass = Some(SystemTime::now());
    }
}
