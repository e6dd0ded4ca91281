//! The interface `transcoder`: runs the host's [`Transcoder`](media_cache_interfaces::Transcoder) outside the store's thread.

use std::sync::Arc;

use media_cache_interfaces::{self as interfaces, Blob, Original};
use wasmtime::component::{Accessor, HasSelf, Resource};

use crate::bindings::cache::media_cache::cache::transcoder::{Conversion, Host, HostWithStore, Transcoded};
use crate::blob_handle::BlobHandle;
use crate::host_state::HostState;

impl Host for HostState {
    fn accepted_types(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.accepted_types.clone())
    }
}

impl<T: Send + 'static> HostWithStore<T> for HasSelf<HostState> {
    async fn transcode(
        store: &Accessor<T, Self>,
        body: Resource<BlobHandle>,
        mimetype: String,
    ) -> wasmtime::Result<Result<Transcoded, String>> {
        let (body, url, transcoder, runtime, hits) = store.with(|mut state| {
            let state = state.get();
            let BlobHandle { blob, url, .. } = state.table.get(&body)?;
            let (body, url) = (Blob::clone(blob), url.clone());
            wasmtime::Result::<_>::Ok((body, url, state.transcoder.clone(), state.runtime.clone(), state.hits.clone()))
        })?;
        let transcoded = runtime.spawn(async move {
            let original = Original { body, mimetype: &mimetype, url: url.as_deref() };
            transcoder.transcode(original).await.map_err(|error| error.to_string())
        });
        let transcoded = transcoded.await.unwrap_or_else(|panic| Err(format!("the transcoder stopped unexpectedly: {panic}")));
        hits.flush().await;
        match transcoded {
            Ok(interfaces::Transcoded::Keep) => Ok(Ok(Transcoded::Keep)),
            Ok(interfaces::Transcoded::Converted(interfaces::Conversion { body, mimetype, extension })) => {
                let body = store.with(|mut state| state.get().push_blob(Arc::new(body)))?;
                Ok(Ok(Transcoded::Converted(Conversion { body, mimetype, extension })))
            }
            Err(why) => {
                tracing::debug!("storing media unchanged, since it cannot be converted: {why}");
                Ok(Err(why))
            }
        }
    }
}
