//! The interface `blobs`: handles are in the component's table, and the bytes stay on the host.

use std::os::fd::AsFd;
use std::sync::Arc;

use wasmtime::component::{Accessor, HasSelf, Resource};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;

use crate::bindings::cache::media_cache::cache::blobs::{Host, HostBlob, HostBlobWithStore};
use crate::bindings::cache::media_cache::cache::failures::FetchError;

use crate::blob_handle::BlobHandle;
use crate::host_state::HostState;
use crate::imports::error_code::error_code;
use crate::slow_operations::SlowOperation;
use media_cache_interfaces::Blob;

type Fallible<T> = wasmtime::Result<Result<T, ErrorCode>>;

impl HostState {
    pub(super) fn blob(&self, handle: &Resource<BlobHandle>) -> wasmtime::Result<Arc<Blob>> {
        Ok(self.table.get(handle)?.blob.clone())
    }

    pub(super) fn open_file(&self, descriptor: &Resource<Descriptor>) -> Fallible<Arc<std::fs::File>> {
        Ok(match self.table.get(descriptor)? {
            Descriptor::File(file) => Ok(file.file.clone()),
            Descriptor::Dir(_) => Err(ErrorCode::IsDirectory),
        })
    }
}

impl Host for HostState {}

impl HostBlob for HostState {
    fn from_bytes(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Resource<BlobHandle>> {
        self.push_blob(Arc::new(Blob::from(bytes)))
    }

    fn from_file(&mut self, file: Resource<Descriptor>) -> Fallible<Resource<BlobHandle>> {
        let file = match self.open_file(&file)? {
            Ok(file) => file,
            // The same error as for anything else that is not a regular file.
            Err(_) => return Ok(Err(ErrorCode::Invalid)),
        };
        match self.faults.before_on("inspect", file.as_fd()).and_then(|()| Blob::from_file(file)) {
            Ok(blob) => Ok(Ok(self.push_blob(Arc::new(blob))?)),
            Err(error) => Ok(Err(error_code(error))),
        }
    }

    fn size(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<u64> {
        Ok(self.blob(&blob)?.len())
    }

    fn arrived_bytes(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<u64> {
        Ok(self.blob(&blob)?.arrived_bytes())
    }

    fn in_memory(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<bool> {
        Ok(self.blob(&blob)?.in_memory().is_some())
    }

    fn head(&mut self, blob: Resource<BlobHandle>, count: u32) -> Fallible<Vec<u8>> {
        let blob = self.blob(&blob)?;
        let begun = blob.file().map_or(Ok(()), |file| self.faults.before_on("read", file.as_fd()));
        Ok(begun.and_then(|()| blob.head(count as usize)).map(Into::into).map_err(error_code))
    }

    fn unchanged(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<bool> {
        Ok(self.blob(&blob)?.is_unchanged())
    }

    fn share(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<Resource<BlobHandle>> {
        self.share_blob(&blob)
    }

    fn drop(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<()> {
        self.take_blob(blob).map(drop)
    }
}

impl<T: Send + 'static> HostBlobWithStore<T> for HasSelf<HostState> {
    async fn finished(store: &Accessor<T, Self>, blob: Resource<BlobHandle>) -> wasmtime::Result<Result<(), FetchError>> {
        let blob = store.with(|mut state| state.get().blob(&blob))?;
        if !blob.is_arriving() {
            return Ok(blob.finished().await.map_err(Into::into));
        }
        let finished = blob.finished().await;
        // The policy decides next, and must take every earlier hit into account.
        let hits = store.with(|mut state| state.get().hits.clone());
        hits.flush().await;
        Ok(finished.map_err(Into::into))
    }

    async fn digest(store: &Accessor<T, Self>, blob: Resource<BlobHandle>) -> Fallible<Vec<u8>> {
        let blob = arrived(store, &blob).await?;
        let file = blob.file().filter(|_| blob.known_digest().is_none()).cloned();
        let _under_way = match before(store, "read", file, blob.len()).await {
            Ok(under_way) => under_way,
            Err(error) => return Ok(Err(error)),
        };
        Ok(blob.digest().await.map(|digest| digest.to_vec()).map_err(error_code))
    }

    async fn load(store: &Accessor<T, Self>, blob: Resource<BlobHandle>) -> Fallible<Resource<BlobHandle>> {
        let blob = arrived(store, &blob).await?;
        let _under_way = match before(store, "read", blob.file().cloned(), blob.len()).await {
            Ok(under_way) => under_way,
            Err(error) => return Ok(Err(error)),
        };
        match blob.load().await {
            Ok(loaded) => store.with(|mut state| state.get().push_blob(Arc::new(loaded))).map(Ok),
            Err(error) => Ok(Err(error_code(error))),
        }
    }

    async fn write_to(store: &Accessor<T, Self>, blob: Resource<BlobHandle>, file: Resource<Descriptor>) -> Fallible<()> {
        let (blob, file) = store.with(|mut state| {
            let state = state.get();
            wasmtime::Result::<_>::Ok((state.blob(&blob)?, state.open_file(&file)?))
        })?;
        let file = match file {
            Ok(file) => file,
            Err(error) => return Ok(Err(error)),
        };
        // The result is ignored: if the body ended early, writing it fails.
        let _ = blob.finished().await;
        let _under_way = match before(store, "write", Some(file.clone()), blob.len()).await {
            Ok(under_way) => under_way,
            Err(error) => return Ok(Err(error)),
        };
        Ok(blob.write_to(file).await.map_err(error_code))
    }
}

/// Waits until all bytes of a blob have arrived. If the body ended early, using it fails.
async fn arrived<T: Send + 'static>(
    store: &Accessor<T, HasSelf<HostState>>,
    blob: &Resource<BlobHandle>,
) -> wasmtime::Result<Arc<Blob>> {
    let blob = store.with(|mut state| state.get().blob(blob))?;
    let _ = blob.finished().await;
    Ok(blob)
}

/// Called before an operation on this many bytes of a file, unless they are in memory. The operation counts as in progress until the result
/// is dropped.
pub(super) async fn before<T: Send + 'static>(
    store: &Accessor<T, HasSelf<HostState>>,
    action: &'static str,
    file: Option<Arc<std::fs::File>>,
    bytes: u64,
) -> Result<Option<SlowOperation>, ErrorCode> {
    let Some(file) = file else { return Ok(None) };
    let (faults, operations, runtime) = store.with(|mut state| {
        let state = state.get();
        (state.faults.clone(), state.operations.clone(), state.runtime.clone())
    });
    let may_fail = faults.is_set();
    let begun = move || faults.before_on(action, file.as_fd()).map_err(error_code);
    if !may_fail || bytes <= Blob::MAX_INLINE_BYTES {
        return begun().map(|()| (bytes > Blob::MAX_INLINE_BYTES).then(|| operations.begin(bytes)));
    }
    // On a blocking thread, like the operation itself.
    let under_way = operations.begin(bytes);
    runtime.spawn_blocking(begun).await.map_err(|error| ErrorCode::Other(Some(error.to_string())))??;
    Ok(Some(under_way))
}
