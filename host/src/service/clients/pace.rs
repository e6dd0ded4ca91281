//! Whether a client is quick enough.

use std::time::Duration;

use tokio::time::Instant;

use super::ClientLimits;

/// How quickly bytes go through, measured over the time that the client is waited for and nothing else.
///
/// An average over a whole connection would let a client that took much at once dawdle for hours on what it has earned, so each stretch
/// of waiting is judged by itself.
pub(super) struct Pace {
    patience: Duration,
    min_rate: u64,
    waiting_since: Option<Instant>,
    /// In this stretch, without the waiting that is not over yet.
    waited: Duration,
    /// Bytes, in this stretch.
    moved: u64,
}

/// The client is too slow.
#[derive(Debug)]
pub(super) struct TooSlow;

impl Pace {
    pub fn new(limits: &ClientLimits) -> Self {
        let ClientLimits { patience, min_rate, .. } = *limits;
        Self { patience, min_rate, waiting_since: None, waited: Duration::ZERO, moved: 0 }
    }

    /// So many bytes went through, and whatever waiting there was is over.
    pub fn moved(&mut self, bytes: u64, now: Instant) {
        self.moved = self.moved.saturating_add(bytes);
        if let Some(since) = self.waiting_since.take() {
            self.waited += now - since;
        }
    }

    /// Nothing goes through, for the client is not ready. Says when to look again.
    pub fn wait(&mut self, now: Instant) -> Result<Instant, TooSlow> {
        let since = *self.waiting_since.get_or_insert(now);
        let waited = self.waited + (now - since);
        if waited < self.patience {
            return Ok(since + (self.patience - self.waited));
        }
        let needed = (waited.as_secs_f64() * self.min_rate as f64) as u64;
        if self.moved < needed.max(1) {
            return Err(TooSlow);
        }
        *self = Self { waiting_since: Some(now), waited: Duration::ZERO, moved: 0, ..*self };
        Ok(now + self.patience)
    }

    /// Whether the client is being waited for.
    pub fn is_waiting(&self) -> bool {
        self.waiting_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A pace of which ten seconds are a stretch, and a time to start from.
    fn pace(min_rate: u64) -> (Pace, Instant) {
        (Pace::new(&ClientLimits { patience: 10 * SECOND, min_rate, ..ClientLimits::default() }), Instant::now())
    }

    #[test]
    fn who_takes_nothing_is_too_slow_when_patience_ends() {
        for min_rate in [0, 1000] {
            let (mut pace, start) = pace(min_rate);
            for seconds in [0, 9] {
                assert_eq!(pace.wait(start + seconds * SECOND).unwrap(), start + 10 * SECOND);
            }
            assert!(pace.wait(start + 10 * SECOND).is_err(), "{min_rate}");
        }
    }

    #[test]
    fn time_in_which_nobody_waits_for_the_client_does_not_count() {
        let (mut pace, mut now) = pace(1000);
        for _ in 0..9 {
            pace.wait(now).unwrap();
            pace.moved(1, now + SECOND);
            now += 100 * SECOND;
        }
        assert_eq!(pace.wait(now).unwrap(), now + SECOND);
    }

    #[test]
    fn each_stretch_is_judged_by_itself() {
        for (bytes, enough) in [(9_999, false), (10_000, true)] {
            let (mut pace, start) = pace(1000);
            pace.moved(1_000_000, start);
            pace.wait(start).unwrap();
            pace.wait(start + 10 * SECOND).unwrap();
            pace.moved(bytes, start + 15 * SECOND);
            pace.wait(start + 15 * SECOND).unwrap();
            assert_eq!(pace.wait(start + 20 * SECOND).is_ok(), enough, "{bytes}");
        }
    }

    #[test]
    fn without_a_rate_a_byte_now_and_then_is_enough() {
        let (mut pace, mut now) = pace(0);
        for _ in 0..3 {
            pace.wait(now).unwrap();
            now += 10 * SECOND;
            pace.moved(1, now);
            assert!(pace.wait(now).is_ok());
        }
    }
}
