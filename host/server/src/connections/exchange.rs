//! The exchanges of requests and responses on a connection, and whether one is in progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The exchanges of a connection, shared by its parts.
#[derive(Clone, Default)]
pub(crate) struct Exchanges(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Incremented at the beginning and the end of each exchange: even while a request is awaited, odd while one is being answered.
    phase: AtomicU64,
    slow_body: AtomicBool,
}

/// An exchange in progress, from the head of its request until this is dropped.
pub(crate) struct Exchange(Exchanges);

impl Exchanges {
    /// Begins an exchange.
    pub fn begin(&self) -> Exchange {
        self.0.phase.fetch_add(1, Ordering::Relaxed);
        Exchange(self.clone())
    }

    /// The number of the request that is awaited, from 0. `None` while an exchange is in progress.
    pub fn awaited(&self) -> Option<u64> {
        let phase = self.0.phase.load(Ordering::Relaxed);
        phase.is_multiple_of(2).then_some(phase / 2)
    }

    /// Notes that the client sends a body too slowly.
    pub fn note_slow_body(&self) {
        self.0.slow_body.store(true, Ordering::Relaxed);
    }

    /// Whether the client sent a body too slowly.
    pub fn had_slow_body(&self) -> bool {
        self.0.slow_body.load(Ordering::Relaxed)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.0.phase.fetch_add(1, Ordering::Relaxed);
    }
}
