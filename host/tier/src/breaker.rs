//! Stops using a store that fails, and tries it again after a while (a circuit breaker).
//!
//! After [`THRESHOLD`] failures in a row, the store is not used for a pause. Then a single attempt is made, by the next request or by a probe
//! in the background; if it fails, the next pause is twice as long. A probe may succeed although requests fail, so the pauses also grow from
//! one outage to the next, until a request succeeds or the store has been used for [`RECOVERY`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::failure::StoreFailure;
use crate::status::Outage;

/// The number of consecutive failures after which the store is not used.
const THRESHOLD: u32 = 5;

/// The first and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The largest part of a pause by which it is shortened at random, so that nodes do not all try the store at the same time.
const JITTER: f64 = 0.25;

/// When an outage ended this long ago, the next one begins with the first pause.
const RECOVERY: Duration = Duration::from_secs(60);

/// Whether a store can be used, for one kind of request.
pub(crate) struct Breaker {
    /// What the requests are for, for the log.
    purpose: &'static str,
    /// What happens during an outage, for the log.
    consequence: &'static str,
    state: Mutex<State>,
    /// Notified when a pause begins or ends, and when an attempt has ended.
    changed: Notify,
}

#[derive(Default)]
struct State {
    failures: u32,
    paused: Option<Paused>,
    last: Option<LastOutage>,
}

/// The last outage, if it was ended by a probe.
struct LastOutage {
    pause: Duration,
    ended: Instant,
}

struct Paused {
    pause: Duration,
    until: Instant,
    /// Whether the attempt after the pause has begun.
    is_tried: bool,
    outage: Outage,
}

/// Permission for a request. Its outcome has to be reported, unless the request was cancelled.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    /// Whether this is the attempt after a pause.
    is_attempt: bool,
    /// Whether the request only tests the store.
    is_probe: bool,
}

impl Breaker {
    pub fn new(purpose: &'static str, consequence: &'static str) -> Self {
        Self { purpose, consequence, state: Mutex::default(), changed: Notify::new() }
    }

    /// Permission for a request.
    ///
    /// # Errors
    /// [`StoreFailure::Paused`] during a pause, or while the attempt after it is in progress.
    pub fn permit(&self) -> Result<Permit<'_>, StoreFailure> {
        let is_attempt = match &mut self.lock().paused {
            None => false,
            Some(paused) if !paused.is_tried && Instant::now() >= paused.until => {
                paused.is_tried = true;
                true
            }
            Some(_) => return Err(StoreFailure::Paused),
        };
        Ok(Permit { breaker: self, is_attempt, is_probe: false })
    }

    /// Waits until an attempt after a pause can be made, unless another request makes it, and returns the permission for a probe.
    pub async fn attempt(&self) -> Permit<'_> {
        loop {
            // This also waits for changes from here on.
            let changed = self.changed.notified();
            let until = self.lock().paused.as_ref().filter(|paused| !paused.is_tried).map(|paused| paused.until);
            match until {
                None => changed.await,
                Some(until) => tokio::select! {
                    () = sleep_until(until) => if let Ok(permit) = self.permit() && permit.is_attempt {
                        return permit.for_probe();
                    },
                    () = changed => {}
                },
            }
        }
    }

    /// When the next request will be permitted, unless it is now.
    pub fn pause_left(&self) -> Option<Duration> {
        let state = self.lock();
        state.paused.as_ref().map(|paused| paused.until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// The outage, if there is one.
    pub fn outage(&self) -> Option<Outage> {
        self.lock().paused.as_ref().map(|paused| paused.outage.clone())
    }

    fn failed(&self, failure: &StoreFailure, is_attempt: bool) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        match &mut state.paused {
            Some(paused) if is_attempt => {
                paused.pause = (paused.pause * 2).min(PAUSES.1);
                paused.until = end(paused.pause);
                paused.is_tried = false;
                paused.outage.reason = failure.to_string();
            }
            Some(_) => {}
            None if failures >= THRESHOLD => {
                tracing::warn!("the second tier failed {failures} times in a row: {}; last failure: {failure}", self.consequence);
                state.paused = Some(Paused::new(failure, state.next_pause()));
            }
            None => return,
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Stops using the store after a single failure, because nothing is known about it yet.
    pub fn open(&self, failure: &StoreFailure) {
        self.lock().paused.get_or_insert_with(|| Paused::new(failure, PAUSES.0));
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a pause that begins now ends.
fn end(pause: Duration) -> Instant {
    Instant::now() + pause.mul_f64(1.0 - JITTER * fastrand::f64())
}

impl State {
    /// The pause with which an outage begins.
    fn next_pause(&self) -> Duration {
        let last = self.last.as_ref().filter(|last| last.ended.elapsed() < RECOVERY);
        last.map_or(PAUSES.0, |last| (last.pause * 2).min(PAUSES.1))
    }
}

impl Paused {
    fn new(failure: &StoreFailure, pause: Duration) -> Self {
        let outage = Outage { reason: failure.to_string(), since: SystemTime::now() };
        Self { pause, until: end(pause), is_tried: false, outage }
    }
}

impl Permit<'_> {
    /// Whether this is the attempt after a pause. Nothing else is permitted until its outcome is known, so it should not take long.
    pub fn is_attempt(&self) -> bool {
        self.is_attempt
    }

    /// The same for a request that only tests the store. If it succeeds, other requests may still fail.
    pub fn for_probe(mut self) -> Self {
        self.is_probe = true;
        self
    }

    /// Reports the outcome of the request.
    pub fn report<T>(self, outcome: Result<T, StoreFailure>) -> Result<T, StoreFailure> {
        match &outcome {
            Err(failure) if failure.is_outage() => self.breaker.failed(failure, self.is_attempt),
            Ok(_) | Err(_) => self.succeeded(),
        }
        outcome
    }

    fn succeeded(&self) {
        let mut state = self.breaker.lock();
        state.failures = 0;
        // A request that began before the outage says nothing about the store now.
        if !self.is_attempt && state.paused.is_some() {
            return;
        }
        let ended = state.paused.take();
        if !self.is_probe {
            state.last = None;
        } else if let Some(paused) = &ended {
            state.last = Some(LastOutage { pause: paused.pause, ended: Instant::now() });
        }
        if ended.is_some() {
            tracing::info!("the second tier can be used again for {}", self.breaker.purpose);
            drop(state);
            self.breaker.changed.notify_waiters();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // Cancelled: the next request is the attempt.
        if self.is_attempt
            && let Some(paused) = &mut self.breaker.lock().paused
        {
            paused.is_tried = false;
            self.breaker.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn failed() -> Result<(), StoreFailure> {
        Err(StoreFailure::Failed("503".into()))
    }

    fn broken() -> Breaker {
        let breaker = Breaker::new("tests", "nothing happens");
        fail(&breaker);
        breaker
    }

    /// Begins an outage.
    fn fail(breaker: &Breaker) {
        for _ in 0..THRESHOLD {
            assert!(breaker.outage().is_none());
            breaker.permit().unwrap().report(failed()).unwrap_err();
        }
    }

    /// Fails unless this is the pause, apart from jitter. Timers are rounded up to milliseconds.
    fn assert_pause(actual: Option<Duration>, pause: Duration) {
        let actual = actual.unwrap();
        assert!(actual >= pause.mul_f64(1.0 - JITTER) && actual <= pause + Duration::from_millis(2), "{actual:?} is not {pause:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn store_is_paused_after_consecutive_failures_and_then_tried_once_at_a_time() {
        let breaker = broken();
        assert!(breaker.permit().is_err());
        assert_eq!(breaker.outage().unwrap().reason, "503");
        tokio::time::advance(PAUSES.0).await;
        let attempt = breaker.permit().unwrap();
        assert!(breaker.permit().is_err(), "one attempt at a time");
        attempt.report(failed()).unwrap_err();
        assert_pause(breaker.pause_left(), PAUSES.0 * 2);
        tokio::time::advance(PAUSES.0 * 2).await;
        breaker.permit().unwrap().report(Ok(())).unwrap();
        assert!(breaker.permit().is_ok() && breaker.outage().is_none() && breaker.pause_left().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled_attempt_is_repeated_and_pauses_have_a_limit() {
        let breaker = broken();
        for _ in 0..10 {
            tokio::time::advance(PAUSES.1).await;
            drop(breaker.permit().unwrap());
            breaker.permit().unwrap().report(failed()).unwrap_err();
        }
        assert_pause(breaker.pause_left(), PAUSES.1);
    }

    #[tokio::test(start_paused = true)]
    async fn attempt_in_the_background_waits_for_the_pause_and_for_other_attempts() {
        let breaker = broken();
        let begun = Instant::now();
        let first = breaker.attempt().await;
        assert_pause(Some(begun.elapsed()), PAUSES.0);
        assert!(breaker.attempt().now_or_never().is_none(), "one attempt at a time");
        first.report(failed()).unwrap_err();
        breaker.attempt().await.report(Ok(())).unwrap();
        assert_pause(Some(begun.elapsed()), PAUSES.0 * 3);
        assert!(breaker.attempt().now_or_never().is_none() && breaker.outage().is_none());
        let begun = Instant::now();
        breaker.open(&StoreFailure::Failed("503".into()));
        let cancelled = breaker.attempt().await;
        let (next, ()) = tokio::join!(breaker.attempt(), async { drop(cancelled) });
        assert!(next.is_attempt());
        assert_pause(Some(begun.elapsed()), PAUSES.0);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_only_probes_succeed() {
        let breaker = broken();
        let mut pause = PAUSES.0;
        for _ in 0..10 {
            assert_pause(breaker.pause_left(), pause);
            breaker.attempt().await.report(Ok(())).unwrap();
            fail(&breaker);
            pause = (pause * 2).min(PAUSES.1);
        }
        // A request that succeeds ends this, and so does time.
        breaker.attempt().await.report(Ok(())).unwrap();
        breaker.permit().unwrap().report(Ok(())).unwrap();
        fail(&breaker);
        assert_pause(breaker.pause_left(), PAUSES.0);
        breaker.attempt().await.report(Ok(())).unwrap();
        tokio::time::advance(RECOVERY).await;
        fail(&breaker);
        assert_pause(breaker.pause_left(), PAUSES.0);
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_do_not_end_their_pauses_at_the_same_time() {
        let ends: std::collections::HashSet<_> = (0..10).map(|_| broken().pause_left()).collect();
        assert!(ends.len() > 1, "{ends:?}");
    }

    #[tokio::test]
    async fn answers_about_a_single_object_are_not_failures_of_the_store() {
        let breaker = Breaker::new("tests", "nothing happens");
        for _ in 0..10 {
            for failure in [StoreFailure::NotFound, StoreFailure::Conflict, StoreFailure::Unsupported("x".into())] {
                breaker.permit().unwrap().report::<()>(Err(failure)).unwrap_err();
            }
        }
        for _ in 0..10 {
            for outcome in [failed(), failed(), failed(), failed(), Ok(())] {
                let _ = breaker.permit().unwrap().report(outcome);
            }
        }
        assert!(breaker.outage().is_none());
    }
}
