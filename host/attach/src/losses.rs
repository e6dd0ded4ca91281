//! Limits how often a call is repeated because it lost its owner.

use std::io;
use std::time::{Duration, SystemTime};

use media_cache::{CacheError, Outage};
use tokio::time::Instant;

/// How often in a row a call may lose its owner.
const MAX_LOSSES: u32 = 16;

/// How long a call has to be in progress before its earlier losses no longer count.
const PROGRESS: Duration = Duration::from_secs(10);

/// The pause before a call is made for the third time. It doubles from then on.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The losses of a call in a row.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    count: u32,
    first: Option<SystemTime>,
    latest: Option<Instant>,
}

impl Losses {
    /// Counts a loss. Returns the pause before the call is repeated.
    ///
    /// # Errors
    /// The call was lost too often.
    pub fn add(&mut self, error: &io::Error) -> Result<Duration, CacheError> {
        let now = Instant::now();
        if self.latest.replace(now).is_some_and(|latest| now - latest > PROGRESS) {
            (self.count, self.first) = (0, None);
        }
        let since = *self.first.get_or_insert_with(SystemTime::now);
        self.count += 1;
        if self.count < MAX_LOSSES {
            return Ok(self.pause());
        }
        let reason =
            format!("the process that owns the directory was lost {MAX_LOSSES} times during one call, most recently: {error}");
        Err(CacheError::Unavailable(Outage { reason, since }))
    }

    fn pause(&self) -> Duration {
        let doublings = self.count.checked_sub(2);
        doublings.map_or(Duration::ZERO, |doublings| FIRST_PAUSE.saturating_mul(1 << doublings).min(MAX_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn call_that_is_lost_again_and_again_fails() {
        let (mut losses, begun) = (Losses::default(), Instant::now());
        let error = io::Error::other("it hung up");
        let failure = loop {
            match losses.add(&error) {
                Ok(pause) => tokio::time::sleep(pause).await,
                Err(failure) => break failure.to_string(),
            }
        };
        assert!(failure.contains("16 times") && failure.ends_with("it hung up"), "{failure}");
        assert!((Duration::from_secs(5)..Duration::from_secs(20)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn losses_of_a_call_that_makes_progress_are_not_limited() {
        let mut losses = Losses::default();
        for _ in 0..2 * MAX_LOSSES {
            assert_eq!(losses.add(&io::ErrorKind::UnexpectedEof.into()).unwrap(), Duration::ZERO);
            tokio::time::sleep(PROGRESS * 2).await;
        }
    }
}
