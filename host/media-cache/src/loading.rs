//! The progress of loading the directory, for the tasks that wait for it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::media::LoadReport;

/// The progress of loading the directory.
#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Loading,
    Loaded(LoadReport),
    /// Loading failed, and will be retried.
    Failed(String),
}

/// The state of loading the directory. Clones share the same state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded(Arc<watch::Sender<State>>);

impl Loaded {
    /// Records the report. Later reports are ignored, since an instance that loads the directory again after a trap is not a new start.
    pub fn succeeded(&self, report: LoadReport) {
        self.0.send_if_modified(|state| {
            let is_first = !matches!(state, State::Loaded(_));
            if is_first {
                *state = State::Loaded(report);
            }
            is_first
        });
    }

    /// Records why the directory could not be loaded.
    pub fn failed(&self, why: String) {
        self.0.send_replace(State::Failed(why));
    }

    /// The report, if the directory has been loaded.
    pub fn report(&self) -> Option<LoadReport> {
        match &*self.0.borrow() {
            State::Loaded(report) => Some(*report),
            State::Loading | State::Failed(_) => None,
        }
    }

    /// Waits until the directory has been loaded.
    pub async fn wait(&self) -> LoadReport {
        let mut state = self.0.subscribe();
        loop {
            if let State::Loaded(report) = &*state.borrow_and_update() {
                return *report;
            }
            if state.changed().await.is_err() {
                // Cannot happen, since the sender is in `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for the outcome of the first attempt.
    pub async fn first(&self) -> Result<LoadReport, String> {
        let mut state = self.0.subscribe();
        loop {
            match &*state.borrow_and_update() {
                State::Loaded(report) => return Ok(*report),
                State::Failed(why) => return Err(why.clone()),
                State::Loading => {}
            }
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
