//! The state that an arriving body shares with its readers.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, watch};

use crate::failure::FetchError;
use crate::received::{Piece, Received};

/// A body that is arriving, which becomes a `W` when it is complete.
#[derive(Debug)]
pub(crate) struct Arrival<W> {
    received: Arc<Received>,
    expected: Option<u64>,
    outcome: OnceLock<Result<W, FetchError>>,
    /// Marked as changed when there is more to read, and at the end.
    progress: watch::Sender<()>,
    abandoned: Notify,
}

/// The next part of a body, from a given position.
pub(crate) enum Next<'a, W> {
    /// A piece of a body that is still arriving.
    Piece(Piece),
    /// The outcome of the whole body, which has ended.
    Ended(&'a Result<W, FetchError>),
}

impl<W> Arrival<W> {
    pub fn new(received: Arc<Received>, expected: Option<u64>) -> Self {
        let (outcome, abandoned) = (OnceLock::new(), Notify::new());
        Self { received, expected, outcome, progress: watch::Sender::new(()), abandoned }
    }

    /// The bytes received so far.
    pub fn received(&self) -> &Received {
        &self.received
    }

    /// The declared number of bytes.
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// Wakes the readers when more bytes have arrived.
    pub fn has_more(&self) {
        self.progress.send_replace(());
    }

    /// Ends the arrival, unless it has already ended.
    pub fn end(&self, outcome: Result<W, FetchError>) {
        let has_failed = outcome.is_err();
        if self.outcome.set(outcome).is_ok() && has_failed {
            self.received.clear();
        }
        self.progress.send_replace(());
    }

    /// The outcome, once the arrival has ended.
    pub fn outcome(&self) -> Option<&Result<W, FetchError>> {
        self.outcome.get()
    }

    /// Waits for the outcome.
    pub async fn ended(&self) -> &Result<W, FetchError> {
        let mut progress = self.progress.subscribe();
        loop {
            progress.mark_unchanged();
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            // This cannot fail: `self` owns the sender.
            let _ = progress.changed().await;
        }
    }

    /// Waits for bytes at `position`, or for the end.
    ///
    /// The last byte of a body whose length was declared can be read only at the end. Until then, extra bytes may follow, or it may turn
    /// out that the body cannot be kept, so readers must not assume that they have the whole body.
    pub async fn next(&self, position: u64, end: u64) -> Next<'_, W> {
        let mut progress = self.progress.subscribe();
        let end = self.expected.map_or(end, |expected| end.min(expected.saturating_sub(1)));
        loop {
            progress.mark_unchanged();
            if let Some(outcome) = self.outcome() {
                return Next::Ended(outcome);
            }
            if let Some(piece) = self.received.piece(position, end) {
                return Next::Piece(piece);
            }
            let _ = progress.changed().await;
        }
    }

    /// Waits until the rest is no longer needed: all readers have been dropped, or the arrival was abandoned.
    pub async fn abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// Ends the arrival early, unless it has already ended, and notifies its writer.
    pub fn abandon(&self, failure: FetchError) {
        self.end(Err(failure));
        self.abandoned.notify_one();
    }
}

/// The right to read a body that is arriving. When it is dropped, the rest of the body is no longer needed.
#[derive(Debug)]
pub(crate) struct Readers<W>(pub Arc<Arrival<W>>);

impl<W> Deref for Readers<W> {
    type Target = Arrival<W>;

    fn deref(&self) -> &Arrival<W> {
        &self.0
    }
}

impl<W> Drop for Readers<W> {
    fn drop(&mut self) {
        self.0.abandoned.notify_one();
    }
}
