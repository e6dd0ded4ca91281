//! Loading the directory: what was found, and everybody who waits for that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wasmtime::component::{Accessor, AccessorTask, ResourceAny};

use crate::bindings::cache::MediaCache as Bindings;
use crate::cache::describe;
use crate::host_state::HostState;
use crate::media::LoadReport;

/// The time between two attempts.
const RETRY: Duration = Duration::from_secs(1);

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

/// Loads the directory, as often as it takes.
pub(crate) struct LoadTask {
    pub bindings: Arc<Bindings>,
    pub cache: ResourceAny,
    pub loaded: Loaded,
}

impl AccessorTask<HostState> for LoadTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let guest = self.bindings.media_cache_cache_cache().media_cache();
        loop {
            match guest.call_ensure_loaded(accessor, self.cache).await? {
                Ok(report) => {
                    // What a later instance finds after a trap is no start.
                    self.loaded.0.send_if_modified(|state| {
                        let is_first = !matches!(state, State::Loaded(_));
                        if is_first {
                            *state = State::Loaded(report);
                        }
                        is_first
                    });
                    return Ok(());
                }
                Err(error) => {
                    let why = describe(&error);
                    tracing::warn!("the directory cannot be loaded, which is tried again: {why}");
                    self.loaded.0.send_replace(State::Failed(why));
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
