//! Limits the calls in progress, each of which has its own connection.
//!
//! A call may run a downloader that makes further calls and waits for them, so calls must not wait for each other forever: while none of
//! them ends, this lets in one more every second. The owner's own limit bounds their number.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// How long no call ends before one more is admitted.
const STALL: Duration = Duration::from_secs(1);

/// Limits the calls in progress.
#[derive(Debug)]
pub(crate) struct CallLimiter {
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The number of calls in progress beyond the limit.
    extra: usize,
    /// When a call last ended or was admitted beyond the limit.
    latest: Instant,
}

/// A call in progress, until this is dropped.
pub(crate) struct CallPermit<'a> {
    limiter: &'a CallLimiter,
    permit: Option<SemaphorePermit<'a>>,
}

impl CallLimiter {
    pub fn new(limit: usize) -> Self {
        Self { permits: Semaphore::new(limit), state: Mutex::new(State { extra: 0, latest: Instant::now() }) }
    }

    /// Waits until a call may begin.
    pub async fn acquire(&self) -> CallPermit<'_> {
        let mut begun = Instant::now();
        let mut waiting = std::pin::pin!(self.permits.acquire());
        loop {
            let stalled = begun.max(self.state().latest) + STALL;
            tokio::select! {
                biased;
                // The semaphore is never closed.
                permit = &mut waiting => return CallPermit { limiter: self, permit: permit.ok() },
                () = sleep_until(stalled) => {
                    let mut state = self.state();
                    let now = Instant::now();
                    begun = now;
                    if now - state.latest >= STALL {
                        *state = State { extra: state.extra + 1, latest: now };
                        self.permits.add_permits(1);
                    }
                }
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CallPermit<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.latest = Instant::now();
        if state.extra > 0 {
            state.extra -= 1;
            self.permit.take().into_iter().for_each(SemaphorePermit::forget);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_limit_wait_for_others() {
        let limiter = CallLimiter::new(2);
        let (first, _second) = (limiter.acquire().await, limiter.acquire().await);
        assert!(limiter.acquire().now_or_never().is_none());
        drop(first);
        assert!(limiter.acquire().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_for_each_other_are_admitted_one_by_one() {
        let limiter = CallLimiter::new(2);
        let begun = Instant::now();
        let mut nested = Vec::new();
        for _ in 0..10 {
            nested.push(limiter.acquire().await);
        }
        assert!((Duration::from_secs(8)..Duration::from_secs(10)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        drop(nested);
        // The limit is the original one again.
        let _again = (limiter.acquire().await, limiter.acquire().await);
        assert!(limiter.acquire().now_or_never().is_none());
    }
}
