//! Passes what a request allows to the connector, through a client that knows nothing of it: whether an idle connection may be used. The
//! connector passes back whether one was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    /// The attempt that a task works for.
    static ATTEMPT: ConnectionAttempt;
}

/// An attempt to send a request. Clones are the same attempt.
#[derive(Clone, Default)]
pub(crate) struct ConnectionAttempt(Arc<Choice>);

#[derive(Default)]
struct Choice {
    may_reuse: bool,
    has_reused: AtomicBool,
}

impl ConnectionAttempt {
    pub(crate) fn new(may_reuse: bool) -> Self {
        Self(Arc::new(Choice { may_reuse, has_reused: AtomicBool::new(false) }))
    }

    /// Runs a request in which [`ConnectionAttempt::current`] is this one.
    pub(crate) async fn run<F: Future>(&self, request: F) -> F::Output {
        ATTEMPT.scope(self.clone(), request).await
    }

    /// That of the request that this task works for. Without one, connections are not reused.
    pub(crate) fn current() -> Self {
        ATTEMPT.try_with(Clone::clone).unwrap_or_default()
    }

    pub(crate) fn may_reuse(&self) -> bool {
        self.0.may_reuse
    }

    pub(crate) fn note_reused(&self) {
        self.0.has_reused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_reused(&self) -> bool {
        self.0.has_reused.load(Ordering::Relaxed)
    }
}
