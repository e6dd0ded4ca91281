//! Limits the processor time of a thread to a share of one core.

use std::time::Duration;

/// Time that was not used in the past may be used later, up to this.
const MAX_SAVED: Duration = Duration::from_millis(20);

/// The time over which the use of the processor is averaged.
const AVERAGED: Duration = Duration::from_secs(60);

/// The allowance of a thread. Times are those since the thread started.
pub(crate) struct CpuAllowance {
    /// The share of a core.
    share: f64,
    /// The processor time that may have been used by `checked`.
    allowed: Duration,
    checked: Duration,
}

impl CpuAllowance {
    pub fn new(share: f64) -> Self {
        Self { share, allowed: MAX_SAVED, checked: Duration::ZERO }
    }

    /// How long the thread has to rest before it continues, if it has used this much processor time by now.
    pub fn rest(&mut self, now: Duration, used: Duration) -> Duration {
        let earned = now.saturating_sub(self.checked).mul_f64(self.share);
        (self.allowed, self.checked) = ((self.allowed + earned).min(used + MAX_SAVED), now);
        used.saturating_sub(self.allowed).div_f64(self.share.max(1e-6))
    }
}

/// The share of the processor that a thread uses, averaged over a minute.
#[derive(Default)]
pub(crate) struct CpuUsage {
    /// The time, and the processor time, at the beginning of the current minute.
    minute: (Duration, Duration),
    share: f64,
}

impl CpuUsage {
    /// The share in the last full minute, or since the start in the first one.
    pub fn share(&mut self, now: Duration, used: Duration) -> f64 {
        let (elapsed, recent) = (now.saturating_sub(self.minute.0), used.saturating_sub(self.minute.1));
        let is_first = self.minute.0.is_zero();
        if is_first || elapsed >= AVERAGED {
            self.share = recent.as_secs_f64() / elapsed.as_secs_f64().max(1.0);
        }
        if elapsed >= AVERAGED {
            self.minute = (now, used);
        }
        self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn thread_rests_until_its_share_covers_what_it_has_used() {
        let mut allowance = CpuAllowance::new(0.02);
        assert_eq!(allowance.rest(seconds(1.0), seconds(0.02)), Duration::ZERO);
        // One second has earned 0.02 seconds, and 0.1 more take five.
        assert_eq!(allowance.rest(seconds(1.0), seconds(0.14)), seconds(5.0));
        assert_eq!(allowance.rest(seconds(6.0), seconds(0.14)), Duration::ZERO);
    }

    #[test]
    fn usage_is_that_of_the_last_minute() {
        let mut usage = CpuUsage::default();
        assert_eq!(usage.share(seconds(10.0), seconds(1.0)), 0.1);
        assert_eq!(usage.share(seconds(60.0), seconds(3.0)), 0.05);
        assert_eq!(usage.share(seconds(90.0), seconds(30.0)), 0.05);
        assert_eq!(usage.share(seconds(120.0), seconds(33.0)), 0.5);
    }

    #[test]
    fn unused_time_is_only_saved_up_to_a_limit() {
        let mut allowance = CpuAllowance::new(0.5);
        assert_eq!(allowance.rest(seconds(3600.0), seconds(0.0)), Duration::ZERO);
        assert_eq!(allowance.rest(seconds(3600.0), seconds(1.02)), seconds(2.0));
    }
}
