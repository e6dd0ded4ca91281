//! The thread on which the shadows run.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{io, thread};

use media_cache::policy::{PolicyEngine, RequestObserver, processor_time};

use crate::active::Active;
use crate::cpu_allowance::{CpuAllowance, CpuUsage};
use crate::feed::Feed;
use crate::options::ShadowOptions;
use crate::report::{Report, Used};
use crate::shadow_set::{Progress, ShadowSet};

/// How often waiting requests are simulated.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often the figures are computed.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The thread rests this long at most before it sees whether it is to stop.
const MAX_REST: Duration = Duration::from_secs(1);

/// How nice the thread is: the threads that serve requests come first.
const NICENESS: i32 = 10;

/// Returns the current policy of the cache.
pub type CurrentPolicy = Arc<dyn Fn() -> Active + Send + Sync>;

/// Called each time a window is complete.
pub type OnProgress = Box<dyn FnMut(&Progress) + Send>;

/// The shadows of a cache, on a thread of their own. Dropping it stops the thread.
pub struct Shadows {
    feed: Arc<Feed>,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    report: Mutex<Arc<Report>>,
    switch_failed: AtomicBool,
}

impl Shadows {
    /// Starts the shadows. `engine` must be the one that compiled their policies.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(engine: PolicyEngine, options: ShadowOptions, active: CurrentPolicy, on_progress: OnProgress) -> io::Result<Self> {
        let feed = Arc::new(Feed::default());
        let set = ShadowSet::new(engine, options, now());
        let report = Mutex::new(Arc::new(set.report(&active(), Used::default())));
        let (shared, stop) = (Arc::new(Shared { report, switch_failed: AtomicBool::new(false) }), set.stop_flag());
        let worker = Worker { feed: feed.clone(), shared: shared.clone(), stop: stop.clone(), set, active, on_progress };
        let thread = thread::Builder::new().name("shadows".into()).spawn(move || worker.run())?;
        Ok(Self { feed, shared, stop, thread: Some(thread) })
    }

    /// The observer that the cache has to inform of its requests.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn RequestObserver> {
        self.feed.clone()
    }

    /// Notes that the cache could not follow the last decision.
    pub fn switch_failed(&self) {
        self.shared.switch_failed.store(true, Ordering::Relaxed);
    }

    /// The current figures. They are at most a few seconds old.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Shadows {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
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
    stop: Arc<AtomicBool>,
    set: ShadowSet,
    active: CurrentPolicy,
    on_progress: OnProgress,
}

impl Worker {
    fn run(mut self) {
        if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
            tracing::debug!("cannot lower the priority of the thread of the shadow policies: {error}");
        }
        let shared = self.shared.clone();
        if std::panic::catch_unwind(AssertUnwindSafe(|| self.simulate())).is_err() {
            tracing::error!("the shadow policies have stopped because of an internal error; the cache is not affected");
            let mut report = shared.report.lock().unwrap_or_else(PoisonError::into_inner);
            let why_not = Some("they have stopped because of an internal error; see the log".into());
            *report = Arc::new(Report { enabled: false, why_not, advice: None, ..Report::clone(&report) });
        }
    }

    fn simulate(&mut self) {
        let started = Instant::now();
        let share = self.set.cpu_share();
        let (mut allowance, mut usage) = (CpuAllowance::new(share), CpuUsage::default());
        let mut published = None;
        while !self.is_stopped() {
            if self.shared.switch_failed.swap(false, Ordering::Relaxed) {
                self.set.switch_failed();
            }
            let active = (self.active)();
            let progress = self.set.process(&self.feed, now(), &active);
            let used = processor_time();
            let used_share = usage.share(started.elapsed(), used);
            if let Some(rate) = self.set.better_rate(used_share / share, now()) {
                self.feed.set_rate(rate);
            }
            if progress.is_window_complete || published.is_none_or(|published: Instant| published.elapsed() >= REPORT_INTERVAL) {
                let used = Used { cpu_percent: used_share * 100.0, cpu_seconds: used.as_secs_f64(), ..Used::default() };
                let report = Arc::new(self.set.report(&active, used));
                *self.shared.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
                published = Some(Instant::now());
            }
            if progress.is_window_complete {
                (self.on_progress)(&progress);
            }
            let mut rest = INTERVAL;
            while !rest.is_zero() && !self.is_stopped() {
                thread::park_timeout(rest.min(MAX_REST));
                rest = allowance.rest(started.elapsed(), processor_time());
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The time in milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
