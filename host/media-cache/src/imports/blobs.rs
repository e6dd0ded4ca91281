//! The interface `blobs`: handles in the component's table, bytes on the host's side.

use std::io;
use std::sync::Arc;

use wasmtime::component::{Accessor, HasSelf, Resource};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p3::bindings::filesystem::types::ErrorCode;

use crate::bindings::cache::media_cache::cache::blobs::{Host, HostBlob, HostBlobWithStore};

use crate::blob_handle::BlobHandle;
use crate::host_state::HostState;
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
            // As for anything else that is not a regular file.
            Err(_) => return Ok(Err(ErrorCode::Invalid)),
        };
        match Blob::from_file(file) {
            Ok(blob) => Ok(Ok(self.push_blob(Arc::new(blob))?)),
            Err(error) => Ok(Err(error.into())),
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
        Ok(self.blob(&blob)?.head(count as usize).map(Into::into).map_err(ErrorCode::from))
    }

    fn share(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<Resource<BlobHandle>> {
        let BlobHandle { blob, url, .. } = self.table.get(&blob)?;
        let (blob, url) = (blob.clone(), url.clone());
        self.push_blob_of(url, blob)
    }

    fn drop(&mut self, blob: Resource<BlobHandle>) -> wasmtime::Result<()> {
        self.take_blob(blob).map(drop)
    }
}

impl<T: Send + 'static> HostBlobWithStore<T> for HasSelf<HostState> {
    async fn digest(store: &Accessor<T, Self>, blob: Resource<BlobHandle>) -> Fallible<Vec<u8>> {
        let blob = store.with(|mut state| state.get().blob(&blob))?;
        Ok(blob.digest().await.map(|digest| digest.to_vec()).map_err(ErrorCode::from))
    }

    async fn load(store: &Accessor<T, Self>, blob: Resource<BlobHandle>) -> Fallible<Resource<BlobHandle>> {
        let blob = store.with(|mut state| state.get().blob(&blob))?;
        match blob.load().await {
            Ok(loaded) => store.with(|mut state| state.get().push_blob(Arc::new(loaded))).map(Ok),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn write_to(store: &Accessor<T, Self>, blob: Resource<BlobHandle>, file: Resource<Descriptor>) -> Fallible<()> {
        let (blob, file) = store.with(|mut state| {
            let state = state.get();
            wasmtime::Result::<_>::Ok((state.blob(&blob)?, state.open_file(&file)?))
        })?;
        let written: Result<(), io::Error> = match file {
            Ok(file) => blob.write_to(file).await,
            Err(error) => return Ok(Err(error)),
        };
        Ok(written.map_err(ErrorCode::from))
    }
}
