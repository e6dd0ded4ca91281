//! How long to wait before starting the next instance of a component that crashes repeatedly.

use std::time::Duration;

/// After this many instances in a row have crashed without answering anything, the next one starts only after a pause.
pub(crate) const MAX_FRUITLESS_INSTANCES: u32 = 3;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Counts consecutive instances that crashed before they had answered anything.
#[derive(Default)]
pub(crate) struct Backoff {
    fruitless: u32,
}

impl Backoff {
    /// How long to pause after an instance has crashed, or `None` if the next one may start immediately.
    pub fn pause(&mut self, had_answered: bool) -> Option<Duration> {
        self.fruitless = if had_answered { 0 } else { self.fruitless.saturating_add(1) };
        let doublings = self.fruitless.checked_sub(MAX_FRUITLESS_INSTANCES)?;
        Some(SHORTEST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_until_an_instance_answers() {
        let mut backoff = Backoff::default();
        let mut pauses = |answers: &[bool]| -> Vec<u64> {
            answers.iter().map(|answered| backoff.pause(*answered).map_or(0, |pause| pause.as_secs())).collect()
        };
        assert_eq!(pauses(&[false; 10]), [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pauses(&[true, false, false, false]), [0, 0, 0, 1]);
    }
}
