//! The streams of an HTTP/2 connection: how many are open, and since when there has been nothing to do.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::connections::limits::ClientLimits;
use crate::connections::stream_progress::StreamProgress;
use crate::connections::timer::Timer;

tokio::task_local! {
    /// The progress of the response on the stream to which the current task belongs.
    static PROGRESS: Arc<StreamProgress>;
}

/// The streams of a connection, shared by its parts.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Mutex<State>>);

struct State {
    open: usize,
    has_begun: bool,
    /// Whether bytes wait for the client to read them.
    is_blocked: bool,
    /// When the last stream ended or the last waiting bytes were accepted.
    quiet_since: Instant,
    is_too_slow: bool,
}

/// A stream with a request, from its head until this is dropped.
pub(crate) struct OpenStream {
    streams: Streams,
    permit: Option<OwnedSemaphorePermit>,
}

impl Streams {
    /// The streams of a connection that begins now.
    pub fn new() -> Self {
        let quiet_since = Instant::now();
        Self(Arc::new(Mutex::new(State { open: 0, has_begun: false, is_blocked: false, quiet_since, is_too_slow: false })))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a stream. The first needs no permit, because the connection has one.
    pub fn open(&self) -> OpenStream {
        self.with(|state| {
            state.open += 1;
            state.has_begun = true;
        });
        OpenStream { streams: self.clone(), permit: None }
    }

    /// Whether there has been a request.
    pub fn has_begun(&self) -> bool {
        self.with(|state| state.has_begun)
    }

    /// Since when there has been nothing to do: now, if there is something.
    pub fn quiet_since(&self) -> Instant {
        self.with(|state| if state.open > 0 || state.is_blocked { Instant::now() } else { state.quiet_since })
    }

    /// Notes whether bytes wait for the client to read them.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.with(|state| {
            if std::mem::replace(&mut state.is_blocked, is_blocked) {
                state.quiet_since = Instant::now();
            }
        });
    }

    /// Notes that the client reads too slowly.
    pub fn note_too_slow(&self) {
        self.with(|state| state.is_too_slow = true);
    }

    /// Whether the client reads too slowly.
    pub fn is_too_slow(&self) -> bool {
        self.with(|state| state.is_too_slow)
    }
}

impl OpenStream {
    /// Whether there are other streams, so that this one needs a permit.
    pub fn needs_permit(&self) -> bool {
        self.streams.with(|state| state.open > 1)
    }

    /// Keeps a permit until the stream ends.
    pub fn keep(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.with(|state| {
            state.open -= 1;
            state.quiet_since = Instant::now();
        });
    }
}

/// Runs each stream in a task, and ends those whose clients accept the response too slowly.
#[derive(Clone)]
pub(crate) struct StreamExecutor(pub Arc<ClientLimits>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let progress = StreamProgress::new(&self.0);
        tokio::spawn(async move {
            let mut stream = pin!(PROGRESS.scope(progress.clone(), stream));
            let mut timer = Timer::default();
            std::future::poll_fn(|cx| match stream.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                // A stream that is dropped before its end is reset.
                Poll::Pending => progress.poll_too_slow(&mut timer, cx).map(|_| tracing::debug!("a response was read too slowly")),
            })
            .await;
        });
    }
}

/// The progress of the stream to which the current task belongs.
pub(crate) fn current_progress() -> Arc<StreamProgress> {
    PROGRESS.get()
}
