//! A clock that tests advance, set back and stop.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, SystemTime};

use media_cache::Clock;

/// The initial time of the clock, in seconds since 1970.
const START: u64 = 1_700_000_000;

/// A clock on which time passes only with [`advance`](Self::advance).
#[derive(Debug, Default)]
pub struct ManualClock {
    time: Mutex<Time>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Time {
    elapsed: Duration,
    /// How far the wall clock was set back.
    set_back: Duration,
    stopped: bool,
    /// How many readers are blocked.
    blocked: usize,
}

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.time.lock().unwrap().elapsed += time;
    }

    /// Sets back the wall clock, but not the elapsed time.
    pub fn set_back(&self, time: Duration) {
        self.time.lock().unwrap().set_back += time;
    }

    /// The wall clock time from the cache's point of view.
    pub fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now()
    }

    /// Blocks readers of the clock until the guard is dropped. The component runs on one thread and reads the clock for every hit, so this
    /// stops the component.
    pub fn stop(&self) -> StoppedClock<'_> {
        self.time.lock().unwrap().stopped = true;
        StoppedClock(self)
    }

    /// Returns the time since the start, and how far the wall clock was set back.
    fn read(&self) -> (Duration, Duration) {
        let mut time = self.time.lock().unwrap();
        time.blocked += 1;
        self.changed.notify_all();
        let mut time = self.changed.wait_while(time, |time| time.stopped).unwrap();
        time.blocked -= 1;
        (time.elapsed, time.set_back)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        let (elapsed, set_back) = self.read();
        Duration::from_secs(START) + elapsed - set_back
    }

    fn elapsed(&self) -> Duration {
        self.read().0
    }
}

/// A guard that keeps a clock stopped until it is dropped.
#[derive(Debug)]
pub struct StoppedClock<'a>(&'a ManualClock);

impl StoppedClock<'_> {
    /// Blocks until a reader is blocked.
    pub fn wait_until_blocked(&self) {
        drop(self.0.changed.wait_while(self.0.time.lock().unwrap(), |time| time.blocked == 0).unwrap());
    }
}

impl Drop for StoppedClock<'_> {
    fn drop(&mut self) {
        self.0.time.lock().unwrap().stopped = false;
        self.0.changed.notify_all();
    }
}
