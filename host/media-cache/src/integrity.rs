//! The results of the background check of all entries.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::media::Verified;

/// The results of the background check since the cache was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntegrityReport {
    /// Entries that were read and whose files are consistent. Media is compared with its digest, if the sidecar has one.
    pub intact: u64,
    /// The bytes of intact entries that were read.
    pub bytes: u64,
    /// Entries that were damaged and therefore removed.
    pub damaged: u64,
    /// Entries that could not be read. They are kept.
    pub unreadable: u64,
    /// Completed passes over all entries.
    pub passes: u64,
    /// When the last pass was completed.
    pub last_pass: Option<SystemTime>,
}

/// The results so far.
#[derive(Default)]
pub(crate) struct Integrity(Mutex<IntegrityReport>);

impl Integrity {
    fn lock(&self) -> MutexGuard<'_, IntegrityReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The results so far.
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

    /// Records that all entries were checked.
    pub fn complete_pass(&self) {
        let mut report = self.lock();
        report.passes += 1;
        report.last_pass = Some(SystemTime::now());
    }
}
