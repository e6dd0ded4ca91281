//! Passes to the connector whether a request may use an idle connection, through an HTTP client that is unaware of this. The connector
//! reports back whether it used one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    /// The attempt that the current task is working on.
    static ATTEMPT: ConnectionAttempt;
}

/// An attempt to send a request. Clones refer to the same attempt.
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

    /// Runs a request. Meanwhile, [`ConnectionAttempt::current`] is this attempt.
    pub(crate) async fn run<F: Future>(&self, request: F) -> F::Output {
        ATTEMPT.scope(self.clone(), request).await
    }

    /// The attempt that the current task is working on. Without one, connections are not reused.
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
