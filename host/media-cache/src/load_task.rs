//! Makes the component load its directory.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Accessor, AccessorTask};

use crate::cache::describe;
use crate::driver_slices::Work;
use crate::host_state::HostState;
use crate::instance::Instance;
use crate::loading::Loaded;

/// How long to wait after a failed attempt.
const RETRY: Duration = Duration::from_secs(1);

/// Loads the directory, and retries until that succeeds.
pub(crate) struct LoadTask {
    pub instance: Arc<Instance>,
    pub loaded: Loaded,
}

impl AccessorTask<HostState> for LoadTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let Self { instance, loaded } = self;
        let _load = instance.slices.during(Work::Load);
        loop {
            match instance.guest().call_ensure_loaded(accessor, instance.cache).await? {
                Ok(report) => {
                    loaded.succeeded(report);
                    instance.has_loaded();
                    return Ok(());
                }
                Err(error) => {
                    let why = describe(&error);
                    tracing::warn!("cannot load the directory; retrying: {why}");
                    loaded.failed(why);
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}
