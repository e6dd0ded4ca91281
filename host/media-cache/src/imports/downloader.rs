//! The interface `downloader`: whatever [`Downloader`](media_cache_interfaces::Downloader) the host was given, run off the store's
//! thread.

use wasmtime::component::{Accessor, HasSelf};

use crate::bindings::cache::media_cache::cache::downloader::{Fetched, Host, HostWithStore, Request};
use crate::bindings::cache::media_cache::cache::failures::FetchError;
use crate::host_state::HostState;
use crate::transfer::hand_over;

impl Host for HostState {}

impl<T: Send + 'static> HostWithStore<T> for HasSelf<HostState> {
    async fn fetch(store: &Accessor<T, Self>, request: Request) -> wasmtime::Result<Result<Fetched, FetchError>> {
        let (downloader, runtime, hits) = store.with(|mut state| {
            let state = state.get();
            (state.downloader.clone(), state.runtime.clone(), state.hits.clone())
        });
        let fetched = runtime.spawn(async move { downloader.fetch(&request.url).await }).await;
        // What follows is a decision of the policy: it is to know of every hit before it.
        hits.flush().await;
        match fetched {
            Ok(Ok(media)) => Ok(Ok(Fetched::Media(store.with(|mut state| hand_over(state.get(), media))?))),
            Ok(Err(error)) => Ok(Err(error.into())),
            Err(panic) => Ok(Err(FetchError::Other(format!("the downloader broke off: {panic}")))),
        }
    }
}
