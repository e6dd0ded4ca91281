//! The state in a cache component's store.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use media_cache_interfaces::{Blob, Downloader, Transcoder};

use crate::blob_handle::BlobHandle;
use crate::call_downloaders::CallDownloaders;
use crate::component_log::ComponentLog;
use crate::disk_usage::DiskUsage;
use crate::file_faults::FaultHook;
use crate::hit_buffer::HitBuffer;
use crate::policy::slot::PolicySlot;
use crate::slow_operations::SlowOperations;

/// The state in a cache component's store.
pub struct HostState {
    /// The number of this instance of the component.
    pub(crate) instance: u64,
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) downloader: Arc<dyn Downloader>,
    pub(crate) call_downloaders: CallDownloaders,
    pub(crate) transcoder: Arc<dyn Transcoder>,
    pub(crate) accepted_types: Vec<String>,
    pub(crate) policy: PolicySlot,
    /// Where downloads and transcoding run.
    pub(crate) runtime: Handle,
    pub(crate) hits: Arc<HitBuffer>,
    pub(crate) disk_usage: DiskUsage,
    /// Shared by all handles that the component holds, to count them.
    pub(crate) handles: Arc<()>,
    /// Called before every file operation.
    pub(crate) faults: FaultHook,
    /// The operations that other threads perform for the component.
    pub(crate) operations: Arc<SlowOperations>,
}

impl HostState {
    /// Gives the component a handle to a blob.
    pub(crate) fn push_blob(&mut self, blob: Arc<Blob>) -> wasmtime::Result<Resource<BlobHandle>> {
        self.push_blob_of(None, blob)
    }

    /// Gives the component another handle to a blob that it already holds.
    pub(crate) fn share_blob(&mut self, handle: &Resource<BlobHandle>) -> wasmtime::Result<Resource<BlobHandle>> {
        let another = self.table.get(handle)?.share();
        Ok(self.table.push(another)?)
    }

    /// Gives the component a handle to a blob that contains the media of this URL.
    pub(crate) fn push_blob_of(&mut self, url: Option<Arc<str>>, blob: Arc<Blob>) -> wasmtime::Result<Resource<BlobHandle>> {
        let handle = BlobHandle::new(blob, url, self.handles.clone(), self.disk_usage.removed.clone());
        Ok(self.table.push(handle)?)
    }

    /// Takes a handle back from the component. Even if it was the component's last handle to the blob, others may still hold the blob.
    pub(crate) fn take_blob(&mut self, handle: Resource<BlobHandle>) -> wasmtime::Result<Arc<Blob>> {
        Ok(self.table.delete(handle)?.blob)
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The clock of a cache, for programs that control time, such as tests.
pub trait Clock: Send + Sync + 'static {
    /// The time of day, as the duration since 1970-01-01T00:00:00Z.
    fn now(&self) -> Duration;

    /// The time since an arbitrary moment. It never decreases.
    fn elapsed(&self) -> Duration;
}

/// The WASI context of a cache: one directory, clocks, and nothing else.
pub(crate) fn wasi(directory: &Path, clock: Option<Arc<dyn Clock>>) -> wasmtime::Result<WasiCtx> {
    let mut wasi = WasiCtx::builder();
    // The store has its own thread, so small file operations may run on it. This must be set before the preopen.
    wasi.allow_blocking_current_thread(true);
    wasi.preopened_dir(directory, "/", FsPerms::ReadWrite)?;
    // The messages that a component writes before it traps are worth logging.
    wasi.stderr(ComponentLog::default());
    if let Some(clock) = clock {
        wasi.wall_clock(SuppliedClock(clock.clone())).monotonic_clock(SuppliedClock(clock));
    }
    Ok(wasi.build())
}

struct SuppliedClock(Arc<dyn Clock>);

impl HostWallClock for SuppliedClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.now()
    }
}

impl HostMonotonicClock for SuppliedClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
