//! Whose turn it is on a connection: the client's, to ask, or ours, to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The turns of a connection, shared by those who look after its parts.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Even while a request is waited for, and odd while one is answered.
    count: AtomicU64,
    body_too_slow: AtomicBool,
}

/// A request is being answered, until this is dropped.
pub(super) struct Turn(Turns);

impl Turns {
    /// A request is here.
    pub fn begin(&self) -> Turn {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        Turn(self.clone())
    }

    /// How often turns have changed so far, while the client is to send a request.
    pub fn clients(&self) -> Option<u64> {
        Some(self.0.count.load(Ordering::Relaxed)).filter(|count| count % 2 == 0)
    }

    /// The client sends a body too slowly.
    pub fn note_slow_body(&self) {
        self.0.body_too_slow.store(true, Ordering::Relaxed);
    }

    /// Whether a body came too slowly.
    pub fn had_slow_body(&self) -> bool {
        self.0.body_too_slow.load(Ordering::Relaxed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.count.fetch_add(1, Ordering::Relaxed);
    }
}
