//! Signals, and the hard time limit of a shutdown. A separate thread with its own runtime handles them, so that they work even if
//! everything else hangs.
//!
//! The first SIGTERM or SIGINT stops the service. Further ones within a second are repetitions: supervisors and terminals send several. A
//! later signal only ends the wait for clients: no signal prevents the cache from being closed. SIGHUP makes the service reload what can be
//! reloaded.

use std::io;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use media_cache_server::logs::LossyWriter;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::output::FLUSH_LIMIT;
use crate::shutdown_times::ShutdownTimes;

/// The exit status of a service that did not exit in time.
const EXCEEDED_LIMIT: i32 = 3;

/// How long signals count as repetitions of the first.
const REPETITIONS: Duration = Duration::from_secs(1);

/// How long exiting may take.
const EXIT_LIMIT: Duration = Duration::from_secs(1);

/// The combined effect of the signals so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    Run,
    Stop,
    StopSoon,
}

/// The signals that this process receives.
pub struct Signals {
    wish: watch::Receiver<Wish>,
    deadline: watch::Receiver<Option<Instant>>,
    reload: Arc<Notify>,
}

impl Signals {
    /// Handles signals from now on. Once a signal requests a stop, the process ends within the limits that `times` has at that moment.
    ///
    /// # Errors
    /// If the system is out of resources.
    pub fn handle(times: watch::Receiver<ShutdownTimes>, log: LossyWriter) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, wish) = watch::channel(Wish::Run);
        let (deadline_sender, deadline) = watch::channel(None);
        let reload = Arc::new(Notify::new());
        let entered = runtime.enter();
        let handler = Handler {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            wish: sender,
            deadline: deadline_sender,
            reload: reload.clone(),
            times,
            log,
        };
        drop(entered);
        thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(handler.run()))?;
        Ok(Self { wish, deadline, reload })
    }

    /// Resolves once a signal stops the service.
    pub async fn stop_requested(&mut self) {
        self.wished(Wish::Stop).await;
    }

    /// Resolves once a further signal ends the wait for clients.
    pub async fn hastened(&mut self) {
        self.wished(Wish::StopSoon).await;
    }

    /// The time before the process is ended, if a signal has stopped the service.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.borrow().map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The handle that is notified whenever a signal requests a reload.
    pub fn reload(&self) -> Arc<Notify> {
        self.reload.clone()
    }

    async fn wished(&mut self, wished: Wish) {
        // The thread keeps the sender for the life of the process.
        let _ = self.wish.wait_for(|wish| *wish >= wished).await;
    }
}

struct Handler {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    wish: watch::Sender<Wish>,
    /// When the process is ended, once a signal has stopped the service.
    deadline: watch::Sender<Option<Instant>>,
    reload: Arc<Notify>,
    times: watch::Receiver<ShutdownTimes>,
    log: LossyWriter,
}

impl Handler {
    async fn run(mut self) {
        while !self.asks_to_stop().await {
            self.reload.notify_one();
        }
        let begun = Instant::now();
        let times = *self.times.borrow();
        let mut deadline = begun + times.grace() + times.limit();
        self.deadline.send_replace(Some(deadline));
        self.wish.send_replace(Wish::Stop);
        loop {
            let asks_to_stop = tokio::select! {
                asks_to_stop = self.asks_to_stop() => asks_to_stop,
                () = sleep_until(deadline) => self.exit(begun.elapsed()),
            };
            if !asks_to_stop {
                tracing::info!("SIGHUP is ignored: the service is stopping");
            } else if begun.elapsed() >= REPETITIONS && *self.wish.borrow() == Wish::Stop {
                deadline = deadline.min(Instant::now() + times.limit());
                self.deadline.send_replace(Some(deadline));
                self.wish.send_replace(Wish::StopSoon);
            }
        }
    }

    /// Waits for the next signal. False if it requests a reload.
    async fn asks_to_stop(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hangup.recv() => false,
        }
    }

    /// Ends the process, whatever its other threads do.
    fn exit(&self, after: Duration) -> ! {
        tracing::error!("the service has not stopped within {} s and exits without closing the cache", after.as_secs());
        self.log.flush_within(FLUSH_LIMIT);
        // Exit handlers can hang, too.
        let killed = thread::Builder::new().spawn(|| {
            thread::sleep(EXIT_LIMIT);
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        });
        drop(killed);
        process::exit(EXCEEDED_LIMIT)
    }
}
