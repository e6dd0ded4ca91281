//! The minimum rate of a body. Without it, an origin that sends a byte now and then would never pause for too long, and never finish.

use std::time::Duration;

use crate::options::HttpOptions;
use media_cache_interfaces::FetchError;

/// Checks the rate of a body in consecutive windows. Only time spent waiting for the origin counts, since a slow local disk is not the
/// origin's fault.
pub(crate) struct MinRate {
    bytes_per_second: u64,
    window: Duration,
    /// The waiting time in the current window.
    waited: Duration,
    /// The bytes received in the current window.
    received: u64,
}

impl MinRate {
    pub(crate) fn new(options: &HttpOptions) -> Self {
        let window = options.min_rate_window.max(Duration::from_millis(1));
        Self { bytes_per_second: options.min_rate, window, waited: Duration::ZERO, received: 0 }
    }

    /// The waiting time that remains in the current window.
    pub(crate) fn remaining(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }

    /// Records a waiting time and the bytes received after it. Fails at the end of a window with too few bytes.
    pub(crate) fn record(&mut self, waited: Duration, received: usize) -> Result<(), FetchError> {
        self.waited += waited;
        self.received += received as u64;
        if self.waited < self.window {
            return Ok(());
        }
        let (waited, received) = (std::mem::take(&mut self.waited), std::mem::take(&mut self.received));
        let min = self.bytes_per_second;
        if received as f64 >= min as f64 * waited.as_secs_f64() {
            return Ok(());
        }
        Err(FetchError::TimedOut(format!(
            "the body is arriving too slowly: {received} bytes in {waited:.1?}, less than {min} bytes per second"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate_of(min_rate: u64) -> MinRate {
        let min_rate_window = Duration::from_secs(10);
        MinRate::new(&HttpOptions { min_rate, min_rate_window, ..HttpOptions::default() })
    }

    #[test]
    fn each_window_needs_enough_bytes_and_extra_bytes_do_not_carry_over() {
        let (second, mut rate) = (Duration::from_secs(1), rate_of(5));
        for _ in 0..9 {
            assert_eq!(rate.record(second, 0), Ok(()));
        }
        assert_eq!(rate.remaining(), second);
        assert_eq!(rate.record(second, 1000), Ok(()));
        for _ in 0..9 {
            assert_eq!(rate.record(second, 5), Ok(()));
        }
        let Err(FetchError::TimedOut(reason)) = rate.record(second, 4) else { panic!("49 bytes in 10 seconds were enough") };
        assert_eq!(reason, "the body is arriving too slowly: 49 bytes in 10.0s, less than 5 bytes per second");
    }

    #[test]
    fn rate_of_zero_means_no_limit() {
        let mut rate = rate_of(0);
        assert_eq!(rate.record(Duration::from_secs(1000), 0), Ok(()));
    }
}
