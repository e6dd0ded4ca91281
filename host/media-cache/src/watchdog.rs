//! Detects that the driver thread has stopped responding, because a mount hangs or a component loops. It also detects this for threads that
//! perform file operations for the driver.
//!
//! Such a thread cannot be interrupted. While it hangs, requests are answered without it. Once it responds again, everything works as
//! before.
//!
//! The driver thread sends heartbeats while it is responsive, and the watchdog counts its own checks without a new heartbeat. It does not
//! measure time, because while the whole process is stopped or gets no processor time, neither of the two runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::WeakSender;
use tokio::time::MissedTickBehavior;

use crate::availability::{Availability, Trouble};
use crate::request::Request;
use crate::slow_operations::SlowOperations;

/// How long the thread may fail to respond, unless the builder sets another time.
pub(crate) const MAX_SILENCE: Duration = Duration::from_secs(5);

/// The number of checks without a heartbeat after which the thread counts as unresponsive.
const LOOKS: u32 = 10;

/// The heartbeats of a thread, and the operations that other threads perform for it.
#[derive(Default)]
pub(crate) struct Heartbeat {
    beats: AtomicU64,
    operations: Arc<SlowOperations>,
}

impl Heartbeat {
    pub fn new(operations: Arc<SlowOperations>) -> Self {
        Self { beats: AtomicU64::new(0), operations }
    }

    /// Records that the thread responds.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts consecutive checks without a new heartbeat.
#[derive(Default)]
struct Silence {
    beats: u64,
    looks: u32,
}

impl Silence {
    /// Whether the thread has stopped or resumed sending heartbeats since the last check: `Some(true)` if it has stopped, `None` if nothing
    /// changed.
    fn look(&mut self, beats: u64) -> Option<bool> {
        if self.beats != beats {
            let was_silent = self.looks >= LOOKS;
            *self = Self { beats, looks: 0 };
            return was_silent.then_some(false);
        }
        self.looks = self.looks.saturating_add(1);
        (self.looks == LOOKS).then_some(true)
    }
}

/// Watches the thread, as long as it accepts requests and there is a sender.
pub(crate) async fn watch(
    heartbeat: Arc<Heartbeat>,
    availability: Arc<Availability>,
    max_silence: Duration,
    askers: WeakSender<Request>,
) {
    let mut looks = tokio::time::interval((max_silence / LOOKS).max(Duration::from_millis(1)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silence = Silence::default();
    let (mut is_silent, mut is_away) = (false, false);
    while askers.upgrade().is_some_and(|asker| !asker.is_closed()) {
        looks.tick().await;
        let changed = silence.look(heartbeat.beats.load(Ordering::Relaxed));
        is_silent = changed.unwrap_or(is_silent);
        let (was_away, seconds) = (is_away, max_silence.as_secs_f32());
        let is_stuck = heartbeat.operations.look(LOOKS);
        is_away = is_silent || is_stuck;
        match (was_away, is_away) {
            (false, true) => {
                let reason = format!("the cache has not responded for more than {seconds} s; its disk may be hanging");
                availability.begin(Trouble::Unresponsive, reason);
            }
            (true, false) => availability.end(Trouble::Unresponsive),
            _ => {}
        }
    }
    availability.end(Trouble::Unresponsive);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_is_unresponsive_after_ten_missed_beats_until_the_next_one() {
        let mut silence = Silence::default();
        let mut looks = |beats: u64, count: usize| -> Vec<Option<bool>> { (0..count).map(|_| silence.look(beats)).collect() };
        assert_eq!(looks(1, 10), [None; 10], "the first check found a heartbeat");
        assert_eq!(looks(2, 1), [None]);
        assert_eq!(looks(2, 10), [vec![None; 9], vec![Some(true)]].concat());
        assert_eq!(looks(2, 100), [None; 100]);
        assert_eq!(looks(3, 2), [Some(false), None]);
    }

    #[tokio::test]
    async fn thread_that_no_longer_accepts_requests_is_not_watched() {
        let availability = Arc::<Availability>::default();
        let (asker, requests) = tokio::sync::mpsc::channel(1);
        let watching = watch(Arc::default(), availability.clone(), Duration::from_millis(10), asker.downgrade());
        let outage = async {
            let outage = availability.next_outage().await;
            drop(requests);
            outage
        };
        let ((), outage) = tokio::join!(watching, outage);
        assert!(outage.reason.contains("has not responded"));
        assert_eq!(availability.outage(), None);
    }
}
