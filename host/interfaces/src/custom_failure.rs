//! Failures of custom downloaders, which keep their cause.
//!
//! A failure passes through the cache component as a number. The causes of the last [`KEPT`] failures are kept in a table of the process,
//! so that every request that was coalesced with the failed one gets the same cause.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The number of failures whose cause is kept.
const KEPT: usize = 1024;

type Cause = Arc<dyn Error + Send + Sync>;

/// The failure of a custom downloader. As an error, it stands for its cause: it has the same message and the same [source](Error::source).
/// Failures are equal if they have the same cause, not just an equal one.
#[derive(Clone, Debug)]
pub struct CustomFailure {
    id: u64,
    /// `None` if so many failures have followed that the cause was dropped.
    cause: Option<Cause>,
}

struct Kept {
    next: u64,
    causes: VecDeque<(u64, Cause)>,
}

static KEPT_CAUSES: Mutex<Kept> = Mutex::new(Kept { next: 0, causes: VecDeque::new() });

impl CustomFailure {
    /// A failure with this cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = Cause::from(cause.into());
        let mut kept = KEPT_CAUSES.lock().unwrap_or_else(PoisonError::into_inner);
        let id = kept.next;
        kept.next += 1;
        if kept.causes.len() == KEPT {
            kept.causes.pop_front();
        }
        kept.causes.push_back((id, cause.clone()));
        Self { id, cause: Some(cause) }
    }

    /// The error that the downloader reported. `None` if more than a thousand failures have followed in the process, so that it was dropped
    /// before this failure reached its caller.
    #[must_use]
    pub fn cause(&self) -> Option<&Arc<dyn Error + Send + Sync>> {
        self.cause.as_ref()
    }
}

/// The number that stands for the failure in the cache component.
impl From<CustomFailure> for u64 {
    fn from(failure: CustomFailure) -> Self {
        failure.id
    }
}

/// The failure for which the number stands.
impl From<u64> for CustomFailure {
    fn from(id: u64) -> Self {
        let kept = KEPT_CAUSES.lock().unwrap_or_else(PoisonError::into_inner);
        let cause = kept.causes.iter().rev().find(|(kept, _)| *kept == id).map(|(_, cause)| cause.clone());
        Self { id, cause }
    }
}

impl PartialEq for CustomFailure {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for CustomFailure {}

impl fmt::Display for CustomFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => cause.fmt(f),
            None => f.write_str("the cause is no longer known"),
        }
    }
}

impl Error for CustomFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref()?.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_restored_from_its_number_with_its_cause() {
        let failure = CustomFailure::new(std::io::Error::other("no such emoji"));
        let restored = CustomFailure::from(u64::from(failure.clone()));
        assert_eq!(restored, failure);
        assert!(Arc::ptr_eq(restored.cause().unwrap(), failure.cause().unwrap()));
        assert!(restored.cause().unwrap().is::<std::io::Error>());
        assert_eq!(restored.to_string(), "no such emoji");
        assert_ne!(CustomFailure::new(std::io::Error::other("no such emoji")), failure);
    }

    #[test]
    fn cause_is_dropped_after_many_failures() {
        let first = CustomFailure::new("first");
        for _ in 0..KEPT {
            drop(CustomFailure::new("another"));
        }
        let restored = CustomFailure::from(u64::from(first.clone()));
        assert!(restored.cause().is_none() && first.cause().is_some());
        assert_eq!(restored.to_string(), "the cause is no longer known");
    }
}
