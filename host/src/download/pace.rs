//! How fast a body has to come. An origin that sends a byte now and then is never idle and never done.

use std::time::Duration;

use super::FetchError;
use super::options::HttpOptions;

/// Judges how much comes in one stretch of waiting after the other. Only time in which something was waited for counts: where this side
/// is slow, nobody else is to blame.
pub(super) struct Pace {
    min_bytes_per_second: u64,
    window: Duration,
    waited: Duration,
    came: u64,
}

impl Pace {
    pub(super) fn new(options: &HttpOptions) -> Self {
        let window = options.rate_window.max(Duration::from_millis(1));
        Self { min_bytes_per_second: options.min_bytes_per_second, window, waited: Duration::ZERO, came: 0 }
    }

    /// For how long there can be waiting before it has to be accounted for.
    pub(super) fn left(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }

    /// Accounts for some waiting, and for the bytes that it brought. Fails at the end of a stretch that brought too few.
    pub(super) fn account(&mut self, waited: Duration, came: usize) -> Result<(), FetchError> {
        self.waited += waited;
        self.came += came as u64;
        if self.waited < self.window {
            return Ok(());
        }
        let (waited, came) = (std::mem::take(&mut self.waited), std::mem::take(&mut self.came));
        let expected = self.min_bytes_per_second as f64 * waited.as_secs_f64();
        if came as f64 >= expected {
            return Ok(());
        }
        let min = self.min_bytes_per_second;
        Err(FetchError::TimedOut(format!("the body comes too slowly: {came} bytes in {waited:.1?}, not {min} a second")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(min_bytes_per_second: u64) -> Pace {
        let rate_window = Duration::from_secs(10);
        Pace::new(&HttpOptions { min_bytes_per_second, rate_window, ..HttpOptions::default() })
    }

    #[test]
    fn each_stretch_has_to_bring_enough_and_none_makes_up_for_another() {
        let (second, mut pace) = (Duration::from_secs(1), pace(5));
        for _ in 0..9 {
            assert_eq!(pace.account(second, 0), Ok(()));
        }
        assert_eq!(pace.left(), second);
        assert_eq!(pace.account(second, 1000), Ok(()));
        for _ in 0..9 {
            assert_eq!(pace.account(second, 5), Ok(()));
        }
        let Err(FetchError::TimedOut(why)) = pace.account(second, 4) else { panic!("49 bytes in 10 seconds were enough") };
        assert_eq!(why, "the body comes too slowly: 49 bytes in 10.0s, not 5 a second");
    }

    #[test]
    fn without_a_rate_nothing_is_too_slow() {
        let mut pace = pace(0);
        assert_eq!(pace.account(Duration::from_secs(1000), 0), Ok(()));
    }
}
