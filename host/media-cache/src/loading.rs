//! Loading the directory: what was found, and everybody who waits for that.

use std::sync::Arc;

use tokio::sync::watch;

use crate::media::LoadReport;

/// How far loading the directory is.
#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Loading,
    Loaded(LoadReport),
    /// It failed, and is tried again.
    Failed(String),
}

/// Whether the directory is loaded. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded(Arc<watch::Sender<State>>);

impl Loaded {
    /// Notes what was found. What a later instance finds after a trap is no start.
    pub fn succeeded(&self, report: LoadReport) {
        self.0.send_if_modified(|state| {
            let is_first = !matches!(state, State::Loaded(_));
            if is_first {
                *state = State::Loaded(report);
            }
            is_first
        });
    }

    /// Notes why the directory could not be loaded.
    pub fn failed(&self, why: String) {
        self.0.send_replace(State::Failed(why));
    }

    /// What was found, if the directory was loaded.
    pub fn report(&self) -> Option<LoadReport> {
        match &*self.0.borrow() {
            State::Loaded(report) => Some(*report),
            State::Loading | State::Failed(_) => None,
        }
    }

    /// Waits until the directory is loaded.
    pub async fn wait(&self) -> LoadReport {
        let mut state = self.0.subscribe();
        loop {
            if let State::Loaded(report) = &*state.borrow_and_update() {
                return *report;
            }
            if state.changed().await.is_err() {
                // There is a sender as long as there is this.
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
