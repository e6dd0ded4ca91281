//! The exchanges of requests and responses on a connection, and whether one is in progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;

/// The exchanges of a connection, shared by its parts.
#[derive(Clone, Default)]
pub(crate) struct Exchanges(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Incremented at the beginning and the end of each exchange: even while a request is awaited, odd while one is being answered.
    phase: AtomicU64,
    slow_body: AtomicBool,
    is_in_place: AtomicBool,
    is_stopping: AtomicBool,
    has_partial: AtomicBool,
    /// The task of the connection, if it is waiting for the end of the exchange in progress.
    waiting: AtomicWaker,
}

/// An exchange in progress, from the head of its request until this is dropped.
pub(crate) struct Exchange(Exchanges);

impl Exchanges {
    /// Begins an exchange.
    pub fn begin(&self) -> Exchange {
        self.0.phase.fetch_add(1, Ordering::Relaxed);
        Exchange(self.clone())
    }

    /// Begins the exchange of a request that is answered in place.
    pub fn begin_in_place(&self) -> InPlaceExchange {
        self.0.is_in_place.store(true, Ordering::Relaxed);
        InPlaceExchange(self.begin())
    }

    /// Whether the request in progress is being answered in place.
    pub fn is_in_place(&self) -> bool {
        self.0.is_in_place.load(Ordering::Relaxed)
    }

    /// Records whether part of a request has arrived but has not been passed to hyper.
    pub fn set_partial(&self, has_partial: bool) {
        self.0.has_partial.store(has_partial, Ordering::Relaxed);
    }

    /// Whether part of the first request has arrived but has not been passed to hyper.
    pub fn has_part_of_first(&self) -> bool {
        self.0.has_partial.load(Ordering::Relaxed) && self.awaited() == Some(0)
    }

    /// Wakes the task of the connection when the exchange in progress ends. hyper does not always poll the connection then.
    pub fn wake_at_end(&self, cx: &Context<'_>) {
        self.0.waiting.register(cx.waker());
    }

    /// Records that no more requests are to be served after those that have begun.
    pub fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether no more requests are to be served.
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Relaxed)
    }

    /// The index of the awaited request, from 0. `None` while an exchange is in progress.
    pub fn awaited(&self) -> Option<u64> {
        let phase = self.0.phase.load(Ordering::Relaxed);
        phase.is_multiple_of(2).then_some(phase / 2)
    }

    /// Records that the client is sending a body too slowly.
    pub fn note_slow_body(&self) {
        self.0.slow_body.store(true, Ordering::Relaxed);
    }

    /// Whether the client sent a body too slowly.
    pub fn had_slow_body(&self) -> bool {
        self.0.slow_body.load(Ordering::Relaxed)
    }
}

/// An exchange in progress that hyper does not know about.
pub(crate) struct InPlaceExchange(Exchange);

impl Drop for InPlaceExchange {
    fn drop(&mut self) {
        let Self(Exchange(exchanges)) = self;
        exchanges.0.is_in_place.store(false, Ordering::Relaxed);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.0.phase.fetch_add(1, Ordering::Relaxed);
        self.0.0.waiting.wake();
    }
}
