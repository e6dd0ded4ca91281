//! Enforces a minimum transfer rate on a client that sends a request or reads a response.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::connections::limits::ClientLimits;
use crate::connections::timer::Timer;

/// The transfer rate of a client, measured only over the time in which the service waits for it.
///
/// An average over a whole connection would let a client that read a lot at first stall for hours, so each window of waiting is evaluated
/// separately.
pub(crate) struct MinRate {
    window: Duration,
    bytes_per_second: u64,
    waiting_since: Option<Instant>,
    /// The time waited in this window, excluding the current wait.
    waited: Duration,
    /// Bytes transferred in this window.
    transferred: u64,
}

/// The client is too slow.
#[derive(Debug)]
pub(crate) struct TooSlow;

impl MinRate {
    pub fn new(limits: &ClientLimits) -> Self {
        let ClientLimits { patience, min_rate, .. } = *limits;
        Self { window: patience, bytes_per_second: min_rate, waiting_since: None, waited: Duration::ZERO, transferred: 0 }
    }

    /// Counts transferred bytes, and ends the current wait.
    pub fn transferred(&mut self, bytes: u64, now: Instant) {
        self.transferred = self.transferred.saturating_add(bytes);
        if let Some(since) = self.waiting_since.take() {
            self.waited += now - since;
        }
    }

    /// Waits for the client while nothing can be transferred. Ready when the client is too slow.
    pub fn poll_too_slow(&mut self, timer: &mut Timer, cx: &mut Context<'_>) -> Poll<TooSlow> {
        loop {
            match self.wait(Instant::now(), 1) {
                Ok(time) if timer.poll_at(time, cx).is_pending() => return Poll::Pending,
                Ok(_) => {}
                Err(too_slow) => return Poll::Ready(too_slow),
            }
        }
    }

    /// Begins a wait, unless there is one.
    pub fn begin_to_wait(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// Begins or continues a wait, and returns the end of the window. Fails if the window has ended and the client was too slow, where so many
    /// transfers share the minimum rate.
    pub fn wait(&mut self, now: Instant, sharing: usize) -> Result<Instant, TooSlow> {
        let since = *self.waiting_since.get_or_insert(now);
        let waited = self.waited + (now - since);
        if waited < self.window {
            return Ok(since + (self.window - self.waited));
        }
        let required = (waited.as_secs_f64() * self.bytes_per_second as f64 / sharing.max(1) as f64) as u64;
        if self.transferred < required.max(1) {
            return Err(TooSlow);
        }
        *self = Self { waiting_since: Some(now), waited: Duration::ZERO, transferred: 0, ..*self };
        Ok(now + self.window)
    }

    /// Whether the service is waiting for the client.
    pub fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A minimum rate with a window of ten seconds, and a time to start from.
    fn min_rate(bytes_per_second: u64) -> (MinRate, Instant) {
        let limits = ClientLimits { patience: 10 * SECOND, min_rate: bytes_per_second, ..ClientLimits::default() };
        (MinRate::new(&limits), Instant::now())
    }

    #[test]
    fn a_client_that_reads_nothing_is_too_slow_at_the_end_of_the_window() {
        for bytes_per_second in [0, 1000] {
            let (mut rate, start) = min_rate(bytes_per_second);
            for seconds in [0, 9] {
                assert_eq!(rate.wait(start + seconds * SECOND, 1).unwrap(), start + 10 * SECOND);
            }
            assert!(rate.wait(start + 10 * SECOND, 1).is_err(), "{bytes_per_second}");
        }
    }

    #[test]
    fn time_without_pending_data_does_not_count() {
        let (mut rate, mut now) = min_rate(1000);
        for _ in 0..9 {
            rate.wait(now, 1).unwrap();
            rate.transferred(1, now + SECOND);
            now += 100 * SECOND;
        }
        assert_eq!(rate.wait(now, 1).unwrap(), now + SECOND);
    }

    #[test]
    fn each_window_is_measured_separately() {
        for (bytes, enough) in [(9_999, false), (10_000, true)] {
            let (mut rate, start) = min_rate(1000);
            rate.transferred(1_000_000, start);
            rate.wait(start, 1).unwrap();
            rate.wait(start + 10 * SECOND, 1).unwrap();
            rate.transferred(bytes, start + 15 * SECOND);
            rate.wait(start + 15 * SECOND, 1).unwrap();
            assert_eq!(rate.wait(start + 20 * SECOND, 1).is_ok(), enough, "{bytes}");
        }
    }

    #[test]
    fn transfers_share_the_rate() {
        for (bytes, enough) in [(2_499, false), (2_500, true)] {
            let (mut rate, start) = min_rate(1000);
            rate.transferred(bytes, start);
            rate.begin_to_wait(start);
            assert_eq!(rate.wait(start + 10 * SECOND, 4).is_ok(), enough, "{bytes}");
        }
    }

    #[test]
    fn a_rate_of_zero_requires_one_byte_per_window() {
        let (mut rate, mut now) = min_rate(0);
        for _ in 0..3 {
            rate.wait(now, 1).unwrap();
            now += 10 * SECOND;
            rate.transferred(1, now);
            assert!(rate.wait(now, 1).is_ok());
        }
    }
}
