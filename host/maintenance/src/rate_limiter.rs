//! Limits the rate at which several threads read.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A limit shared by threads. After reading a piece, a thread waits for the rest of the time that reading it at the maximum rate takes.
pub(crate) struct RateLimiter {
    bytes_per_second: Option<u64>,
    /// The time at which reading all pieces so far would be complete at the maximum rate.
    paid_until: Mutex<Instant>,
}

impl RateLimiter {
    /// A limit in bytes per second; `None` for no limit.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, paid_until: Mutex::new(Instant::now()) }
    }

    /// Waits until this many more bytes are within the maximum rate.
    pub fn wait(&self, bytes: usize) {
        let pause = self.reserve(bytes, Instant::now());
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }

    /// Reserves the time that this many bytes take, and returns how long to wait for its end.
    fn reserve(&self, bytes: usize, now: Instant) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let time = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        // Idle time does not accumulate.
        *paid_until = (*paid_until).max(now) + time;
        paid_until.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limiter_enforces_the_rate_and_accumulates_no_credit_while_idle() {
        let limiter = RateLimiter::new(Some(1000));
        let start = Instant::now() + Duration::from_secs(60);
        assert_eq!(limiter.reserve(500, start), Duration::from_millis(500));
        assert_eq!(limiter.reserve(1000, start), Duration::from_millis(1500));
        assert_eq!(limiter.reserve(1000, start + Duration::from_secs(9)), Duration::from_secs(1));
        assert_eq!(RateLimiter::new(None).reserve(usize::MAX, start), Duration::ZERO);
    }
}
