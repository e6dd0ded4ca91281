//! When a job must stop: at a point in time, or as soon as its caller no longer waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::convert_error::ConvertError;

/// When a job must stop: at a point in time, or as soon as its caller no longer waits.
///
/// Blocking code cannot be interrupted from outside, so it checks between frames.
#[derive(Debug, Clone)]
pub struct Deadline {
    started: Instant,
    limit: Duration,
    abandoned: Arc<AtomicBool>,
}

impl Deadline {
    /// A deadline `limit` from now.
    #[must_use]
    pub fn starting_now(limit: Duration) -> Self {
        Self::or_abandoned(limit, Arc::default())
    }

    /// A deadline `limit` from now, or as soon as the flag is set.
    pub(crate) fn or_abandoned(limit: Duration, abandoned: Arc<AtomicBool>) -> Self {
        Self { started: Instant::now(), limit, abandoned }
    }

    /// Whether the job may continue.
    ///
    /// # Errors
    /// [`ConvertError::TimedOut`] when the time is up, [`ConvertError::Abandoned`] when the caller no longer waits.
    pub fn check(&self) -> Result<(), ConvertError> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(ConvertError::Abandoned);
        }
        if self.started.elapsed() >= self.limit {
            return Err(ConvertError::TimedOut { limit: self.limit });
        }
        Ok(())
    }
}
