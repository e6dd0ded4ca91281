//! The thread on which the shadows run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{io, thread};

use media_cache::policy::{PolicyEngine, RequestObserver};

use crate::cpu_allowance::{CpuAllowance, CpuUsage, thread_time};
use crate::feed::Feed;
use crate::options::ShadowOptions;
use crate::report::{Report, Used};
use crate::shadow_set::{Progress, ShadowSet};

/// How often waiting requests are simulated.
const INTERVAL: Duration = Duration::from_millis(250);

/// The thread rests this long at most before it sees whether it is to stop.
const MAX_REST: Duration = Duration::from_secs(1);

/// How nice the thread is: the threads that serve requests come first.
const NICENESS: i32 = 10;

/// Names the current policy of the cache, with its options.
pub type ActivePolicy = Arc<dyn Fn() -> String + Send + Sync>;

/// Called each time a window is complete.
pub type OnProgress = Box<dyn FnMut(&Progress) + Send>;

/// The shadows of a cache, on a thread of their own. Dropping it stops the thread.
pub struct Shadows {
    feed: Arc<Feed>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    report: Mutex<Arc<Report>>,
    stop: AtomicBool,
}

impl Shadows {
    /// Starts the shadows. `engine` must be the one that compiled their policies.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(engine: PolicyEngine, options: ShadowOptions, active: ActivePolicy, on_progress: OnProgress) -> io::Result<Self> {
        let feed = Arc::new(Feed::default());
        let set = ShadowSet::new(engine, options, now());
        let report = Mutex::new(Arc::new(set.report(&active(), Used::default())));
        let shared = Arc::new(Shared { report, stop: AtomicBool::new(false) });
        let worker = Worker { feed: feed.clone(), shared: shared.clone(), set, active, on_progress };
        let thread = thread::Builder::new().name("shadows".into()).spawn(move || worker.run())?;
        Ok(Self { feed, shared, thread: Some(thread) })
    }

    /// The observer that the cache has to inform of its requests.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn RequestObserver> {
        self.feed.clone()
    }

    /// The current figures. They are at most a few seconds old.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Shadows {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It has nothing to report.
            let _ = thread.join();
        }
    }
}

struct Worker {
    feed: Arc<Feed>,
    shared: Arc<Shared>,
    set: ShadowSet,
    active: ActivePolicy,
    on_progress: OnProgress,
}

impl Worker {
    fn run(mut self) {
        if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
            tracing::debug!("the thread of the shadow policies has the usual priority: {error}");
        }
        let started = Instant::now();
        let share = self.set.options.cpu_share;
        let (mut allowance, mut usage) = (CpuAllowance::new(share), CpuUsage::default());
        while !self.is_stopped() {
            let active = (self.active)();
            let progress = self.set.process(&self.feed, now(), &active);
            let used = thread_time();
            let used_share = usage.share(started.elapsed(), used);
            if let Some(rate) = self.set.better_rate(used_share / share, now()) {
                self.feed.set_rate(rate);
            }
            let used = Used { cpu_percent: used_share * 100.0, cpu_seconds: used.as_secs_f64(), ..Used::default() };
            let report = Arc::new(self.set.report(&active, used));
            *self.shared.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
            if progress.is_window_complete {
                (self.on_progress)(&progress);
            }
            let mut rest = INTERVAL;
            while !rest.is_zero() && !self.is_stopped() {
                thread::park_timeout(rest.min(MAX_REST));
                rest = allowance.rest(started.elapsed(), thread_time());
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }
}

/// The time in milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
