//! Has the component load its directory.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Accessor, AccessorTask, ResourceAny};

use crate::bindings::cache::MediaCache as Bindings;
use crate::cache::describe;
use crate::driver_slices::{DriverSlices, Work};
use crate::host_state::HostState;
use crate::loading::Loaded;

/// The time between two attempts.
const RETRY: Duration = Duration::from_secs(1);

/// Loads the directory, as often as it takes.
pub(crate) struct LoadTask {
    pub bindings: Arc<Bindings>,
    pub cache: ResourceAny,
    pub loaded: Loaded,
    /// Called once the directory is loaded.
    pub on_loaded: Box<dyn FnOnce() + Send + Sync>,
    pub slices: Arc<DriverSlices>,
}

impl AccessorTask<HostState> for LoadTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let Self { bindings, cache, loaded, on_loaded, slices } = self;
        let _load = slices.during(Work::Load);
        let guest = bindings.media_cache_cache_cache().media_cache();
        loop {
            match guest.call_ensure_loaded(accessor, cache).await? {
                Ok(report) => {
                    loaded.succeeded(report);
                    on_loaded();
                    return Ok(());
                }
                Err(error) => {
                    let why = describe(&error);
                    tracing::warn!("the directory cannot be loaded, which is tried again: {why}");
                    loaded.failed(why);
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
