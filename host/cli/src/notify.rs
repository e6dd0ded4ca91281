//! Notifies the service manager (sd_notify(3)) when the service is ready, reloads or stops, with a short status. If the manager requests it
//! (`WatchdogSec=` of systemd), the service also sends keep-alive notifications.
//!
//! A separate thread sends all messages in order, so a manager that does not read them blocks nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// The maximum number of messages that wait to be sent.
const MAX_WAITING: usize = 16;

/// How long the service waits for a message to be sent, so that it arrives before the service continues.
const PATIENCE: Duration = Duration::from_secs(1);

/// A check that a part of the service works. A separate thread calls it twice per watchdog interval. It must not block.
pub type Vital = Box<dyn FnMut() -> bool + Send>;

/// The service manager, if there is one.
#[derive(Clone)]
pub struct Notifier(Option<SyncSender<Message>>);

struct Message {
    state: State,
    status: String,
    sent: oneshot::Sender<()>,
}

#[derive(Clone, Copy)]
enum State {
    Status,
    Ready,
    Reloading,
    Stopping,
}

impl Notifier {
    /// The manager that the environment names. It receives keep-alive notifications as long as all `vitals` return true.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(vitals: Vec<Vital>) -> io::Result<Self> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(Self(None));
        }
        let (messages, receiver) = sync_channel(MAX_WAITING);
        let sender = Sender { receiver, vitals, failed: false, is_alive: true };
        thread::Builder::new().name("notify".into()).spawn(|| sender.run())?;
        Ok(Self(Some(messages)))
    }

    /// Sends a status.
    pub async fn status(&self, status: impl Into<String>) {
        self.send(State::Status, status).await;
    }

    /// Notifies the manager that the service is listening, or has reloaded.
    pub async fn ready(&self, status: impl Into<String>) {
        self.send(State::Ready, status).await;
    }

    /// Notifies the manager that the service is reloading its configuration. [`ready`](Self::ready) follows when it is done.
    pub async fn reloading(&self) {
        self.send(State::Reloading, "reloading the configuration").await;
    }

    /// Notifies the manager that the service is stopping.
    pub async fn stopping(&self, status: impl Into<String>) {
        self.send(State::Stopping, status).await;
    }

    async fn send(&self, state: State, status: impl Into<String>) {
        let Some(messages) = &self.0 else { return };
        let (sent, done) = oneshot::channel();
        if messages.try_send(Message { state, status: status.into(), sent }).is_ok() {
            let _ = tokio::time::timeout(PATIENCE, done).await;
        }
    }
}

/// Checks that a runtime has run a task since the previous call.
pub fn runs_tasks(runtime: Handle) -> Vital {
    let has_run = Arc::new(AtomicBool::new(true));
    Box::new(move || {
        let is_alive = has_run.swap(false, Relaxed);
        if is_alive {
            let has_run = has_run.clone();
            runtime.spawn(async move { has_run.store(true, Relaxed) });
        }
        is_alive
    })
}

/// Sends the messages.
struct Sender {
    receiver: Receiver<Message>,
    vitals: Vec<Vital>,
    /// Whether a message could not be sent, which is logged once.
    failed: bool,
    is_alive: bool,
}

impl Sender {
    fn run(mut self) {
        let half = sd_notify::watchdog_enabled().map(|interval| interval / 2).filter(|half| !half.is_zero());
        let mut next = Instant::now();
        loop {
            let message = match half {
                None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(_) => self.receiver.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message { state, status, sent }) => {
                    self.send(state, &status);
                    let _ = sent.send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + half.unwrap_or_default();
                    self.check_vitals();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn check_vitals(&mut self) {
        // Call all of them, since each may check for activity since its previous call.
        let was_alive = self.is_alive;
        let alive: Vec<bool> = self.vitals.iter_mut().map(|vital| vital()).collect();
        self.is_alive = !alive.contains(&false);
        if self.is_alive {
            self.send_all(&[NotifyState::Watchdog]);
        } else if was_alive {
            tracing::error!("the service is not responding; no longer sending keep-alive notifications to the service manager");
        }
    }

    fn send(&mut self, state: State, status: &str) {
        // A line feed would begin another variable.
        let status = status.replace('\n', " ");
        let status = NotifyState::Status(&status);
        match state {
            State::Status => self.send_all(&[status]),
            State::Ready => self.send_all(&[NotifyState::Ready, status]),
            State::Stopping => self.send_all(&[NotifyState::Stopping, status]),
            State::Reloading => match NotifyState::monotonic_usec_now() {
                Ok(now) => self.send_all(&[NotifyState::Reloading, now, status]),
                Err(_) => self.send_all(&[NotifyState::Reloading, status]),
            },
        }
    }

    fn send_all(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states)
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!("cannot notify the service manager: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_is_alive_only_if_it_ran_tasks_since_the_last_check() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut is_alive = runs_tasks(runtime.handle().clone());
        assert!(is_alive(), "nothing has been requested yet");
        assert!(!is_alive() && !is_alive());
        runtime.block_on(tokio::task::yield_now());
        assert!(is_alive() && !is_alive());
    }
}
