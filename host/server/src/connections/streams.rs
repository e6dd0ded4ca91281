//! The streams of an HTTP/2 connection: how many are open, and since when there has been nothing to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::connections::permits::StreamPermit;

/// The streams of a connection, shared by its parts.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    too_slow: Notify,
}

struct State {
    open: usize,
    has_begun: bool,
    /// Since when the socket has been blocked, if it is.
    blocked_since: Option<Instant>,
    /// How long it was blocked before that.
    blocked: Duration,
    /// When the last stream ended.
    quiet_since: Instant,
    is_too_slow: bool,
}

/// A clock that stands still while the socket of a connection is blocked.
pub(crate) struct Clock {
    pub now: Instant,
    /// How long it has stood still.
    pub stopped: Duration,
}

/// A stream with a request, from its head until the client has accepted the whole response or the stream is reset.
pub(crate) struct OpenStream {
    streams: Streams,
    permit: Option<StreamPermit>,
}

impl Streams {
    /// The streams of a connection that begins now.
    pub fn new() -> Self {
        let state = State {
            open: 0,
            has_begun: false,
            blocked_since: None,
            blocked: Duration::ZERO,
            quiet_since: Instant::now(),
            is_too_slow: false,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), too_slow: Notify::new() }))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a stream.
    pub fn open(&self) -> OpenStream {
        self.with(|state| {
            state.open += 1;
            state.has_begun = true;
        });
        OpenStream { streams: self.clone(), permit: None }
    }

    /// The number of open streams.
    pub fn open_count(&self) -> usize {
        self.with(|state| state.open)
    }

    /// Whether there has been a request.
    pub fn has_begun(&self) -> bool {
        self.with(|state| state.has_begun)
    }

    /// Since when there has been nothing to do: now, if there is something.
    pub fn quiet_since(&self) -> Instant {
        self.with(|state| if state.open > 0 { Instant::now() } else { state.quiet_since })
    }

    /// Notes whether the socket is blocked because the client does not read.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.with(|state| match (is_blocked, state.blocked_since) {
            (true, None) => state.blocked_since = Some(Instant::now()),
            (false, Some(since)) => {
                state.blocked += since.elapsed();
                state.blocked_since = None;
            }
            _ => {}
        });
    }

    /// The clock of the streams.
    pub fn clock(&self) -> Clock {
        let now = Instant::now();
        let stopped = self.with(|state| state.blocked + state.blocked_since.map_or(Duration::ZERO, |since| now - since));
        Clock { now: now - stopped, stopped }
    }

    /// Notes that the client reads too slowly.
    pub fn note_too_slow(&self) {
        self.with(|state| state.is_too_slow = true);
        self.0.too_slow.notify_one();
    }

    /// Whether the client reads too slowly.
    pub fn is_too_slow(&self) -> bool {
        self.with(|state| state.is_too_slow)
    }

    /// Waits until the client reads too slowly.
    pub async fn until_too_slow(&self) {
        self.0.too_slow.notified().await;
    }
}

impl OpenStream {
    /// Keeps a permit until the stream ends.
    pub fn keep(&mut self, permit: StreamPermit) {
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
