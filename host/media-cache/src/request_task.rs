//! Serves a request with an instance of the component.
//!
//! If the instance goes on standby in the meantime, it stores nothing more. The instance that takes over then stores the media that was
//! fetched, and repeats any work that was not done. This also applies to media that was returned while its body was arriving: the request
//! for it lasts until the media is stored.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use futures::future::BoxFuture;
use media_cache_interfaces::{Cacheability, Downloader, FetchError, FetchedMedia};
use tokio::sync::mpsc;
use wasmtime::component::{Accessor, AccessorTask};

use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::driver_slices::Work;
use crate::fetching::Fetch;
use crate::host_state::HostState;
use crate::instance::{Instance, Standing};
use crate::media::{Delivered, Media, PutOutcome, Refreshed, Source, Status, StoreError};
use crate::request::{Reply, Request};
use crate::resident_index::ResidentHandle;
use crate::transfer::{hand_over, receive, timestamp};

/// A request that is being served.
pub(crate) struct RequestTask {
    pub request: Request,
    pub instance: Arc<Instance>,
    /// Set for requests that may fetch media, until they end.
    pub fetch: Option<Fetch>,
    /// A future that has to complete before the request begins.
    pub after: Option<BoxFuture<'static, ()>>,
    pub under_way: mpsc::Sender<Infallible>,
}

impl AccessorTask<HostState> for RequestTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let Self { request, instance, fetch: _fetch, after, under_way: _under_way } = self;
        if let Some(after) = after {
            after.await;
            if instance.next_standing().await == Standing::Retired {
                // The media that the request waited for is stored by another instance.
                drop(instance.handovers.send(request));
                return Ok(());
            }
        }
        let mut unanswered = serve(request, accessor, &instance).await?;
        instance.has_answered();
        while let Some(request) = unanswered.take() {
            match instance.next_standing().await {
                Standing::Active | Standing::OnStandby => unanswered = serve(request, accessor, &instance).await?,
                Standing::Retired => repeat(request, &instance).await,
            }
        }
        Ok(())
    }
}

/// Passes a request to the instance that has taken over. If the request stores media, waits until that instance has stored it.
async fn repeat(request: Request, instance: &Instance) {
    let Request::Admit { url, media, cost, stored_at, reply, .. } = request else {
        // If the driver has ended, this drops the request.
        return drop(instance.handovers.send(request));
    };
    // The fetch only ends once its media is stored.
    let (stored, storing) = tokio::sync::oneshot::channel();
    let _ = instance.handovers.send(Request::Admit { url, media, cost, stored_at, reply, stored: Some(stored) });
    let _ = storing.await;
}

/// Serves a request. Returns it if it has to be served again because the instance went on standby.
async fn serve(request: Request, accessor: &Accessor<HostState>, instance: &Instance) -> wasmtime::Result<Option<Request>> {
    let (guest, cache) = (instance.guest(), instance.cache);
    // If the caller is gone, the answer is dropped.
    match request {
        Request::Get { url, reply } => {
            let late = instance.late_hits.url_of_late(&url);
            let media = guest.call_get(accessor, cache, url).await?;
            note_hit(instance, late, media.as_ref());
            drop(reply.send(media.map(|media| take(accessor, media)).transpose()?));
        }
        Request::GetOrDownload { url, downloader, reply } => {
            // The URL is needed again if the instance goes on standby.
            let late = instance.late_hits.url_of_late(&url);
            let context = add_downloader(accessor, downloader);
            let media = guest.call_get_or_download(accessor, cache, url.clone(), context).await?;
            // A body that is still arriving no longer needs it.
            remove_downloader(accessor, context);
            let media = match media {
                Ok(media) => media,
                Err(error) => {
                    drop(reply.send(Err(error.into())));
                    return Ok(None);
                }
            };
            note_hit(instance, late, Some(&media));
            let is_stored = media.handle.is_some();
            let delivered = take(accessor, media)?;
            // A body that was arriving may be complete by now, and still be stored later.
            if delivered.media.body.is_arriving()
                || (!is_stored && !delivered.media.source.is_hit() && instance.standing() == Standing::Active)
            {
                return Box::pin(answer_early(url, delivered, reply, accessor, instance)).await;
            }
            if !is_stored && instance.standing() != Standing::Active && may_be_stored(&delivered.media) {
                let (cost, stored_at) = (delivered.media.cost(), delivered.media.stored_at());
                let media = Box::new(delivered.media.into_fetched());
                return Ok(Some(Request::Admit { url, media, cost, stored_at, reply: Some(reply), stored: None }));
            }
            drop(reply.send(Ok(delivered)));
        }
        // Boxed, since otherwise the future of the largest request would be moved with each of the others.
        request => return Box::pin(serve_other(request, accessor, instance)).await,
    }
    Ok(None)
}

/// Makes the downloader of a call available to the component, under a number.
fn add_downloader(accessor: &Accessor<HostState>, downloader: Option<Arc<dyn Downloader>>) -> Option<u64> {
    downloader.map(|downloader| accessor.with(|mut state| state.get().call_downloaders.insert(downloader)))
}

/// Removes the downloader of a call, which has fetched what it needs.
fn remove_downloader(accessor: &Accessor<HostState>, number: Option<u64>) {
    if let Some(number) = number {
        accessor.with(|mut state| state.get().call_downloaders.remove(number));
    }
}

/// Answers a request with media whose body is arriving, and waits until the component has stored the media. If the component could not
/// store it because the instance was not active throughout, returns the media, so that the active instance stores it.
async fn answer_early(
    url: String,
    delivered: Delivered,
    reply: Reply<Result<Delivered, FetchError>>,
    accessor: &Accessor<HostState>,
    instance: &Instance,
) -> wasmtime::Result<Option<Request>> {
    let (media, began) = (delivered.media.clone(), Instant::now());
    let cost = delivered.media.cost();
    let is_active = instance.active_since_now();
    drop(reply.send(Ok(delivered)));
    instance.has_answered();
    instance.guest().call_settled(accessor, instance.cache, url.clone()).await?;
    // The fill of another request may have ended while its body was still arriving for this one.
    if is_active() || media.body.finished().await.is_err() || !may_be_stored(&media) {
        return Ok(None);
    }
    let cost = cost.saturating_add(u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX));
    let stored_at = media.stored_at();
    Ok(Some(Request::Admit { url, media: Box::new(media.into_fetched()), cost, stored_at, reply: None, stored: None }))
}

/// Records a hit that comes too late for the index log.
fn note_hit(instance: &Instance, late: Option<String>, media: Option<&wit::Media>) {
    if let Some(url) = late.filter(|_| media.is_some_and(|media| media.source != wit::Source::Origin)) {
        instance.late_hits.add(url);
    }
}

fn may_be_stored(media: &Media) -> bool {
    media.cache_control().cacheability != Cacheability::NoStore
}

/// Removes from the component's resource table the media that the component returned.
fn take(accessor: &Accessor<HostState>, media: wit::Media) -> wasmtime::Result<Delivered> {
    accessor.with(|mut state| receive(state.get(), media))
}

/// Serves a request of a less frequent kind.
async fn serve_other(request: Request, accessor: &Accessor<HostState>, instance: &Instance) -> wasmtime::Result<Option<Request>> {
    let (guest, cache) = (instance.guest(), instance.cache);
    let is_refused =
        |error: Option<&StoreError>| matches!(error, Some(StoreError::NotReady)) && instance.standing() != Standing::Active;
    match request {
        // The caller is gone, and nothing has been done yet.
        Request::Put { reply, .. } if reply.is_closed() => {}
        Request::Remove { reply, .. } if reply.is_closed() => {}
        Request::RemoveMatching { reply, .. } if reply.is_closed() => {}
        Request::Put { url, media, is_converted, reply } => {
            let given = accessor.with(|mut state| hand_over(state.get(), &url, *media))?;
            let answer = if is_converted {
                guest.call_admit(accessor, cache, url.clone(), given, 0, None).await?
            } else {
                guest.call_put(accessor, cache, url.clone(), given).await?
            };
            let answer = match answer {
                Ok(wit::PutOutcome { media: kept, known, not_stored }) => {
                    let kept = take(accessor, kept)?.media;
                    if is_refused(not_stored.as_ref()) {
                        let media = Box::new(kept.into_fetched());
                        return Ok(Some(Request::Put { url, media, is_converted: true, reply }));
                    }
                    Ok(PutOutcome { media: kept, known, not_stored })
                }
                Err(error) => Err(error),
            };
            drop(reply.send(answer));
        }
        Request::Admit { url, media, cost, stored_at, reply, stored } => {
            let delivered = admit(accessor, instance, &url, FetchedMedia::clone(&media), (cost, stored_at)).await?;
            let answer = match delivered {
                Ok(None) => return Ok(Some(Request::Admit { url, media, cost, stored_at, reply, stored })),
                Ok(Some(delivered)) => Ok(delivered),
                Err(why) => Err(FetchError::InvalidUrl(why)),
            };
            drop(reply.map(|reply| reply.send(answer)));
            drop(stored);
        }
        Request::Refresh { url, downloader, reply } => {
            let is_active = instance.active_since_now();
            let context = add_downloader(accessor, downloader.clone());
            let refreshed = guest.call_refresh(accessor, cache, url.clone(), context).await?;
            remove_downloader(accessor, context);
            let answer = match refreshed {
                Ok(wit::RefreshOutcome { media, modified, not_stored }) => {
                    let media = take(accessor, media)?;
                    // By now, the instance may be active again.
                    if matches!(not_stored, Some(StoreError::NotReady)) && !is_active() {
                        return Ok(Some(Request::Refresh { url, downloader, reply }));
                    }
                    Ok(Refreshed { media, modified, not_stored })
                }
                Err(error) => Err(error.into()),
            };
            drop(reply.send(answer));
        }
        Request::Remove { url, reply } => {
            let removed = guest.call_remove(accessor, cache, url.clone()).await?;
            if is_refused(removed.as_ref().err()) {
                return Ok(Some(Request::Remove { url, reply }));
            }
            drop(reply.send(removed));
        }
        Request::RemoveMatching { filter, removed, reply } => {
            let _removal = instance.slices.during(Work::Removal);
            let removal = guest.call_remove_matching(accessor, cache, filter.clone()).await?;
            if is_refused(removal.as_ref().err()) {
                return Ok(Some(Request::RemoveMatching { filter, removed, reply }));
            }
            match removal {
                Ok(wit::Removal { removed: more, interrupted }) => {
                    let removed = removed.saturating_add(more);
                    if interrupted {
                        return Ok(Some(Request::RemoveMatching { filter, removed, reply }));
                    }
                    drop(reply.send(Ok(removed)));
                }
                Err(error) => drop(reply.send(Err(error))),
            }
        }
        Request::Checkpoint(reply) => {
            let saved = guest.call_checkpoint(accessor, cache).await?;
            if is_refused(saved.as_ref().err()) {
                return Ok(Some(Request::Checkpoint(reply)));
            }
            drop(reply.send(saved));
        }
        request => serve_question(request, accessor, instance).await?,
    }
    Ok(None)
}

/// Stores media that an instance on standby has fetched. `None` if this instance is on standby too; an error means that the URL is invalid.
async fn admit(
    accessor: &Accessor<HostState>,
    instance: &Instance,
    url: &str,
    media: FetchedMedia,
    (cost, stored_at): (u32, SystemTime),
) -> wasmtime::Result<Result<Option<Delivered>, String>> {
    let media = accessor.with(|mut state| hand_over(state.get(), url, media))?;
    Ok(match instance.guest().call_admit(accessor, instance.cache, url.into(), media, cost, Some(timestamp(stored_at))).await? {
        Ok(wit::PutOutcome { media, not_stored, .. }) => {
            let mut delivered = take(accessor, media)?;
            delivered.media.source = Source::of_missing(&delivered.media.body);
            let is_refused = matches!(not_stored, Some(StoreError::NotReady)) && instance.standing() != Standing::Active;
            Ok((!is_refused).then_some(delivered))
        }
        Err(error) => Err(crate::cache::describe(&error)),
    })
}

/// Serves a request that changes nothing.
async fn serve_question(request: Request, accessor: &Accessor<HostState>, instance: &Instance) -> wasmtime::Result<()> {
    let (guest, cache) = (instance.guest(), instance.cache);
    match request {
        Request::Promote { url, handle, turn: _turn } => promote(accessor, instance, &url, handle).await?,
        Request::Verify { url, reply } => drop(reply.send(guest.call_verify(accessor, cache, url).await?)),
        Request::Entries { after, limit, reply } => {
            let _listing = instance.slices.during(Work::Listing);
            drop(reply.send(guest.call_entries(accessor, cache, after, limit).await?));
        }
        // The fetches have ended before the request is served.
        Request::Settled { reply, .. } => drop(reply.send(())),
        Request::Health(reply) => drop(reply.send(guest.call_health(accessor, cache).await?)),
        Request::Status(reply) => answer_status(reply, accessor, instance).await?,
        Request::FlushHits(reply) => drop(reply.send(())),
        Request::AddCounters(counters) => guest.call_add_counters(accessor, cache, *counters).await?,
        // These are served elsewhere: above, and in the loop that starts the tasks.
        Request::Get { .. }
        | Request::GetOrDownload { .. }
        | Request::Put { .. }
        | Request::Admit { .. }
        | Request::Refresh { .. }
        | Request::Remove { .. }
        | Request::RemoveMatching { .. }
        | Request::Checkpoint(_)
        | Request::Replace { .. }
        | Request::Close(_) => {}
    }
    Ok(())
}

/// Offers an entry to the memory tier. If the entry becomes resident, further hits are served from memory.
async fn promote(accessor: &Accessor<HostState>, instance: &Instance, url: &str, handle: ResidentHandle) -> wasmtime::Result<()> {
    let Some(residents) = &instance.residents else { return Ok(()) };
    if accessor.with(|mut state| state.get().instance) != handle.instance {
        return Ok(());
    }
    if let Some(media) = instance.guest().call_promote(accessor, instance.cache, handle.handle).await? {
        residents.insert(url, &take(accessor, media)?);
    }
    Ok(())
}

async fn answer_status(reply: Reply<Status>, accessor: &Accessor<HostState>, instance: &Instance) -> wasmtime::Result<()> {
    let stats = instance.guest().call_stats(accessor, instance.cache).await?;
    instance.counted.note(&stats);
    let status = accessor.with(|mut state| {
        let state = state.get();
        Status {
            cache: stats,
            component: instance.components.status(),
            policy: state.policy.status(),
            // One of the references belongs to the state itself.
            blob_handles: Arc::strong_count(&state.handles) - 1,
            restarts: instance.restarts.load(Ordering::Relaxed),
        }
    });
    drop(reply.send(status));
    Ok(())
}
