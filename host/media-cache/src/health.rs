//! The health of a cache over time, and log messages about it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::media::Health;

/// The minimum time between log messages that the cache is degraded, for the same reason and for a different reason.
const REPEAT: Duration = Duration::from_secs(600);
const REPEAT_FOR_ANOTHER_REASON: Duration = Duration::from_secs(60);

/// The latest state, and the history of earlier ones.
pub(crate) struct HealthHistory {
    latest: watch::Sender<Health>,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    /// When the cache was found to be degraded, if it still is.
    degraded: Option<Instant>,
    /// How long it was degraded before that, in total.
    before: Duration,
    /// The last reason that was logged, and when. Brief recurring failures are not logged each time.
    logged: Option<(String, Instant)>,
    /// Whether the end of the failure should be logged.
    is_announced: bool,
}

impl Default for HealthHistory {
    fn default() -> Self {
        Self { latest: watch::Sender::new(Health::Recovering), times: Mutex::default() }
    }
}

impl HealthHistory {
    /// Subscribes to the state.
    pub fn subscribe(&self) -> watch::Receiver<Health> {
        self.latest.subscribe()
    }

    /// How long the cache was degraded, in total.
    pub fn degraded_time(&self) -> Duration {
        let times = self.lock();
        times.before + times.degraded.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Records the state, and logs changes.
    pub fn record(&self, health: Health) {
        let line = self.lock().record(&health, Instant::now());
        match line {
            Some(Line::Degraded(reason)) => {
                tracing::error!("the cache is degraded; media is served but not stored: {reason}");
            }
            Some(Line::Recovered(time)) => tracing::info!("media is stored again after {:.1} s", time.as_secs_f32()),
            None => {}
        }
        self.latest.send_replace(health);
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log message.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Degraded(String),
    Recovered(Duration),
}

impl Times {
    fn record(&mut self, health: &Health, now: Instant) -> Option<Line> {
        match health {
            Health::Degraded(degradation) => {
                self.degraded.get_or_insert(now);
                let due = self.logged.as_ref().is_none_or(|(reason, at)| {
                    let interval = if *reason == degradation.reason { REPEAT } else { REPEAT_FOR_ANOTHER_REASON };
                    now.duration_since(*at) >= interval
                });
                due.then(|| {
                    self.logged = Some((degradation.reason.clone(), now));
                    self.is_announced = true;
                    Line::Degraded(degradation.reason.clone())
                })
            }
            Health::Storing | Health::Recovering => {
                let lasted = now.duration_since(self.degraded.take()?);
                self.before += lasted;
                std::mem::take(&mut self.is_announced).then_some(Line::Recovered(lasted))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Degradation;

    #[test]
    fn degradation_is_logged_at_its_start_then_rarely_and_at_its_end() {
        let (mut times, start) = (Times::default(), Instant::now());
        let degraded = |reason: &str| Health::Degraded(Degradation { reason: reason.into(), since: 0 });
        let mut at = |seconds, health: &Health| times.record(health, start + Duration::from_secs(seconds));
        let line = |reason: &str| Some(Line::Degraded(reason.into()));
        assert_eq!(at(0, &Health::Storing), None);
        assert_eq!(at(1, &degraded("full")), line("full"));
        for second in 2..600 {
            assert_eq!(at(second, &degraded("full")), None);
        }
        assert_eq!(at(601, &degraded("full")), line("full"));
        assert_eq!(at(602, &degraded("gone")), None);
        assert_eq!(at(661, &degraded("gone")), line("gone"));
        assert_eq!(at(671, &Health::Storing), Some(Line::Recovered(Duration::from_secs(670))));
        // Recurring failures are not logged each time.
        assert_eq!(at(672, &degraded("gone")), None);
        assert_eq!(at(673, &Health::Storing), None);
        assert_eq!(times.before, Duration::from_secs(671));
    }
}
