//! The interface `transcoder`: whatever [`Transcoder`](media_cache_interfaces::Transcoder) the host was given, run off the store's thread.

use std::sync::Arc;

use wasmtime::component::{Accessor, HasSelf, Resource};

use crate::bindings::cache::media_cache::cache::transcoder::{Host, HostWithStore};
use crate::blob_handle::BlobHandle;
use crate::host_state::HostState;
use media_cache_interfaces::Blob;

impl Host for HostState {}

impl<T: Send + 'static> HostWithStore<T> for HasSelf<HostState> {
    async fn gif_to_mp4(
        store: &Accessor<T, Self>,
        gif: Resource<BlobHandle>,
    ) -> wasmtime::Result<Result<Resource<BlobHandle>, String>> {
        let (gif, transcoder, runtime, hits) = store.with(|mut state| {
            let state = state.get();
            let gif = state.table.get(&gif)?.blob.clone();
            wasmtime::Result::<_>::Ok((gif, state.transcoder.clone(), state.runtime.clone(), state.hits.clone()))
        })?;
        let film = runtime.spawn(async move {
            let limit = transcoder.max_input_bytes();
            if gif.len() > limit {
                return Err(format!("the GIF has {} bytes, and {limit} is the most", gif.len()));
            }
            let gif = gif.bytes().await.map_err(|error| format!("cannot read the GIF: {error}"))?;
            transcoder.gif_to_mp4(gif).await.map_err(|error| error.to_string())
        });
        let film = film.await.unwrap_or_else(|panic| Err(format!("the transcoder broke off: {panic}")));
        hits.flush().await;
        match film {
            Ok(film) => store.with(|mut state| state.get().push_blob(Arc::new(Blob::from(film)))).map(Ok),
            Err(why) => {
                tracing::warn!("a GIF stays a GIF: {why}");
                Ok(Err(why))
            }
        }
    }
}
