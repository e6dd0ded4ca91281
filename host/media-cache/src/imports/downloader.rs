//! The interface `downloader`: runs the host's [`Downloader`](media_cache_interfaces::Downloader) outside the store's thread.

use std::sync::Arc;

use wasmtime::component::{Accessor, HasSelf};

use crate::bindings::cache::media_cache::cache::downloader::{Fetched, Host, HostWithStore, Request};
use crate::bindings::cache::media_cache::cache::failures::FetchError;
use crate::host_state::HostState;
use crate::transfer::{from_component, hand_over, to_component};
use media_cache_interfaces::Fetched as Outcome;

impl Host for HostState {}

impl<T: Send + 'static> HostWithStore<T> for HasSelf<HostState> {
    async fn fetch(store: &Accessor<T, Self>, request: Request) -> wasmtime::Result<Result<Fetched, FetchError>> {
        let (downloader, runtime, hits) = store.with(|mut state| {
            let state = state.get();
            let downloader = match request.context {
                None => Some(state.downloader.clone()),
                Some(number) => state.call_downloaders.get(number),
            };
            (downloader, state.runtime.clone(), state.hits.clone())
        });
        let Some(downloader) = downloader else {
            return Ok(Err(FetchError::Other("the call that supplied the downloader has ended".into())));
        };
        let url = Arc::<str>::from(request.url);
        let fetch = {
            let url = url.clone();
            async move {
                match request.validators.map(from_component) {
                    Some(validators) => downloader.fetch_if_changed(&url, &validators).await,
                    None => downloader.fetch(&url).await.map(Outcome::Media),
                }
            }
        };
        let fetched = runtime.spawn(fetch).await;
        // The policy decides next, and must take every earlier hit into account.
        hits.flush().await;
        match fetched {
            Ok(Ok(Outcome::Media(media))) => Ok(Ok(Fetched::Media(store.with(|mut state| hand_over(state.get(), &url, media))?))),
            Ok(Ok(Outcome::NotModified(cache_control))) => Ok(Ok(Fetched::NotModified(to_component(cache_control)))),
            Ok(Err(error)) => Ok(Err(error.into())),
            Err(panic) => Ok(Err(FetchError::Other(format!("the downloader stopped unexpectedly: {panic}")))),
        }
    }
}
