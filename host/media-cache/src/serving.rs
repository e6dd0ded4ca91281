//! The main loop of the instance that owns the inbox. It starts a task for each request, until the cache is closed or the instance is
//! replaced.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use media_cache_key_rules::KeyRules;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use wasmtime::component::Accessor;

use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::cache::describe;
use crate::checkpoints::Checkpoints;
use crate::component::cache_component::CacheComponent;
use crate::component::record::ComponentRecord;
use crate::component::swap_error::ComponentSwapError;
use crate::counters::{Counted, counted_since};
use crate::directory_watch::DirectoryWatch;
use crate::driver_slices::Work;
use crate::hit_buffer::{EarlierHits, HitBuffer};
use crate::host_state::HostState;
use crate::inbox::{Inbox, Message};
use crate::instance::{Instance, Standing};
use crate::media::{Source, StoreError};
use crate::policy::record::Record;
use crate::request::{Reply, Request};
use crate::request_task::RequestTask;
use crate::resident_index::ResidentIndex;
use crate::retired::{Retired, RetiredInstances};
use crate::succession::{NewSuccessor, Phase, Switched, succession};

/// How long requests wait while a successor is activated. After that, the predecessor serves those that change nothing.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// The maximum number of requests that are postponed until a successor is active. Further requests stay in the inbox.
const MAX_POSTPONED: usize = 1024;

/// The maximum number of replaced instances that have not ended. Each uses memory for its index and its resident items.
const MAX_RETIRED: usize = 2;

/// The state that all instances of a cache share.
pub(crate) struct Serving {
    pub hits: Arc<HitBuffer>,
    pub residents: Option<Arc<ResidentIndex>>,
    pub directory: Arc<DirectoryWatch>,
    pub key_rules: KeyRules,
    pub components: Arc<ComponentRecord>,
    pub policies: Arc<Record>,
    pub retired: RetiredInstances,
    /// The last known counters of the component.
    pub counted: Arc<Counted>,
}

/// Why an instance ended.
pub(crate) enum End {
    /// All senders have been dropped.
    Abandoned,
    /// The cache was closed; the caller is waiting for the result.
    Closed(Reply<Result<(), StoreError>>, Result<(), StoreError>),
    /// The directory has changed, so another instance is needed.
    Outdated,
    /// Another instance owns the inbox.
    Retired,
}

/// A successor that is being prepared.
struct Switch<'a> {
    ready: Pin<Box<dyn Future<Output = wasmtime::Result<Switched>> + 'a>>,
    component: CacheComponent,
    reply: Reply<Result<(), ComponentSwapError>>,
}

impl Switch<'_> {
    /// Waits until the successor of a switch is ready or has failed. If there is no switch, this waits forever.
    async fn outcome(switch: &mut Option<Self>) -> wasmtime::Result<Switched> {
        match switch {
            Some(switch) => (&mut switch.ready).await,
            None => std::future::pending().await,
        }
    }
}

/// The tasks of an instance.
struct Tasks {
    // Nothing is ever sent: receiving ends when the last task ends and drops the last sender.
    under_way: mpsc::Sender<Infallible>,
    all_done: mpsc::Receiver<Infallible>,
}

impl Tasks {
    async fn finish(mut self) {
        drop(self.under_way);
        let _ = self.all_done.recv().await;
    }
}

impl Serving {
    /// Serves requests with one instance, as long as it owns the inbox.
    pub async fn serve(
        &self,
        accessor: &Accessor<HostState>,
        instance: &Arc<Instance>,
        inbox: &mut Option<Inbox>,
        successors: &mpsc::UnboundedSender<NewSuccessor>,
    ) -> wasmtime::Result<End> {
        let (under_way, all_done) = mpsc::channel(1);
        let tasks = Tasks { under_way, all_done };
        let mut checkpoints = Checkpoints::new(instance.clone());
        let phase = Cell::new(Phase::Serving);
        let mut switch: Option<Switch<'_>> = None;
        let (mut is_abandoned, mut deadline) = (false, Instant::now());
        let closing = loop {
            let Some(messages) = inbox.as_mut() else { return Ok(End::Retired) };
            if phase.get() != Phase::Finished {
                deadline = Instant::now() + MAX_WAIT;
            }
            let waits = phase.get() == Phase::Finished && Instant::now() < deadline;
            let receives = !waits && !is_abandoned && messages.postponed.len() < MAX_POSTPONED;
            let message = tokio::select! {
                biased;
                () = self.directory.replaced() => {
                    // The new directory has its own counters.
                    instance.counted.forget();
                    return Ok(End::Outdated);
                }
                switched = Switch::outcome(&mut switch) => {
                    let switched = switched?;
                    let Some(Switch { component, reply, .. }) = switch.take() else { continue };
                    match switched {
                        Switched::Kept(error) => drop(reply.send(Err(error))),
                        Switched::Lost(error) => {
                            instance.counted.note(&instance.guest().call_stats(accessor, instance.cache).await?);
                            drop(reply.send(Err(error)));
                            return Ok(End::Outdated);
                        }
                        Switched::Ready { takeover, counters } => {
                            let (counters, more) = self.count_more(accessor, instance, &counters).await?;
                            let retired = self.retired.add(instance.fetching.clone());
                            instance.standing.send_replace(Standing::Retired);
                            let with_counters = inbox.take().map(|mut inbox| {
                                // This request must come first, before any request for the counters of the successor.
                                inbox.postponed.push_front(more);
                                inbox
                            });
                            if let Some(Err(back)) = with_counters.map(|inbox| takeover.send(inbox)) {
                                *inbox = Some(back);
                                drop(reply.send(Err(ComponentSwapError::Activate("it crashed".into()))));
                                return Ok(End::Outdated);
                            }
                            self.components.swapped(component);
                            let _ = reply.send(Ok(()));
                            return self.retire(accessor, instance, tasks, &counters, retired).await;
                        }
                    }
                    if is_abandoned {
                        break None;
                    }
                    continue;
                }
                message = messages.next(phase.get() == Phase::Serving), if receives => message,
                () = sleep_until(deadline), if waits => continue,
                () = checkpoints.tick() => {
                    if phase.get() == Phase::Serving {
                        instance.flush_hits(accessor, &self.hits).await?;
                        checkpoints.spawn(accessor)?;
                    }
                    continue;
                }
            };
            let serves = phase.get() == Phase::Serving;
            if serves {
                instance.flush_hits(accessor, &self.hits).await?;
            }
            match message {
                None if serves => break None,
                None => is_abandoned = true,
                Some(Message::Request(request)) if !serves && !self.suits_standby(instance, &request) => {
                    messages.postponed.push_back(request);
                }
                Some(Message::Request(Request::Close(reply))) => break Some(reply),
                Some(Message::Request(Request::Replace { reply, .. }))
                    if switch.is_some() || self.retired.count() >= MAX_RETIRED =>
                {
                    drop(reply.send(Err(ComponentSwapError::Busy)));
                }
                // After a trap, the directory has to be loaded again before the component can be replaced.
                Some(Message::Request(Request::Replace { reply, .. })) if !instance.is_loaded() => {
                    drop(reply.send(Err(ComponentSwapError::Loading)));
                }
                Some(Message::Request(Request::Replace { component, reply })) => {
                    let (successor, succession) = succession();
                    let ready = Box::pin(successor.get_ready(accessor, instance, &self.hits, &phase));
                    // If the driver does not start the successor, it drops `succession`, which makes `get_ready` fail.
                    let _ = successors.send(NewSuccessor { component: component.clone(), succession });
                    switch = Some(Switch { ready, component, reply });
                }
                Some(Message::Request(request)) => {
                    checkpoints.requested = true;
                    self.start(accessor, instance, request, &tasks)?;
                }
                Some(Message::Command(command)) => {
                    let _seeding = instance.slices.during(Work::Policy);
                    accessor.with(|mut state| command(&mut state.get().policy));
                }
            }
        };
        // This ends a successor that is not ready.
        drop(switch);
        if let Some(inbox) = inbox {
            self.take_handovers(accessor, instance, inbox, &tasks).await?;
        }
        tasks.finish().await;
        instance.flush_hits(accessor, &self.hits).await?;
        let written = instance.guest().call_close(accessor, instance.cache).await?;
        if let Err(error) = &written {
            tracing::warn!("the index log is incomplete, so the next start will take longer: {}", describe(error));
        }
        Ok(closing.map_or(End::Abandoned, |reply| End::Closed(reply, written)))
    }

    /// Whether an instance that is no longer active should serve a request.
    fn suits_standby(&self, instance: &Instance, request: &Request) -> bool {
        match request {
            // The media may have been fetched already, in which case the successor stores it.
            Request::GetOrDownload { url, .. } => !instance.fetching.has(&self.key_rules.key(url)),
            request => request.suits_standby(),
        }
    }

    /// Starts a task that serves a request.
    fn start(
        &self,
        accessor: &Accessor<HostState>,
        instance: &Arc<Instance>,
        request: Request,
        tasks: &Tasks,
    ) -> wasmtime::Result<()> {
        let (mut fetch, mut after) = (None, None);
        match &request {
            Request::GetOrDownload { url, .. } | Request::Refresh { url, .. } => {
                let key = self.key_rules.key(url);
                after = self.retired.end_of(&key);
                fetch = Some(instance.fetching.begin(key.into_owned()));
            }
            Request::Settled { url, .. } => {
                let key = self.key_rules.key(url);
                let ends =
                    instance.fetching.end_of(&key).map(|end| end.map(drop).boxed()).into_iter().chain(self.retired.end_of(&key));
                after = Some(join_all(ends).map(drop).boxed());
            }
            _ => {}
        }
        let (instance, under_way) = (instance.clone(), tasks.under_way.clone());
        accessor.spawn(RequestTask { request, instance, fetch, after, under_way })?;
        Ok(())
    }

    /// Serves only the requests that replaced instances hand over, until these instances have ended. Requests that arrive after the cache
    /// was closed are refused, so that no task waits for an answer that never comes.
    async fn take_handovers(
        &self,
        accessor: &Accessor<HostState>,
        instance: &Arc<Instance>,
        inbox: &mut Inbox,
        tasks: &Tasks,
    ) -> wasmtime::Result<()> {
        inbox.close().await;
        loop {
            let request = tokio::select! {
                biased;
                Some(request) = inbox.handovers.recv() => request,
                () = self.retired.all_ended() => return Ok(()),
            };
            self.start(accessor, instance, request, tasks)?;
        }
    }

    /// Finishes the remaining work of a replaced instance, and hands over what it has counted since `before`.
    async fn retire(
        &self,
        accessor: &Accessor<HostState>,
        instance: &Arc<Instance>,
        tasks: Tasks,
        before: &wit::Stats,
        _retired: Retired,
    ) -> wasmtime::Result<End> {
        // From here on, the status of the cache no longer depends on this instance's policy.
        accessor.with(|mut state| state.get().policy.detach());
        // Releases the resident items and open files, since the successor holds just as many.
        instance.guest().call_release(accessor, instance.cache).await?;
        tasks.finish().await;
        let (_, more) = self.count_more(accessor, instance, before).await?;
        // If this fails, the cache has been closed.
        let _ = instance.handovers.send(more);
        Ok(End::Retired)
    }

    /// Returns the counters of an instance that is being replaced, and a request that makes its successor add the counts since `before`.
    /// Hits that are missing from the index log are delivered by URL, which also counts them.
    async fn count_more(
        &self,
        accessor: &Accessor<HostState>,
        instance: &Arc<Instance>,
        before: &wit::Stats,
    ) -> wasmtime::Result<(wit::Stats, Request)> {
        let after = instance.guest().call_stats(accessor, instance.cache).await?;
        let mut more = counted_since(before, &after);
        for (url, hits) in instance.late_hits.take() {
            // A hit that was already handed over without its URL is not counted again.
            let hits = hits.min(u32::try_from(more.hits).unwrap_or(u32::MAX));
            more.hits -= u64::from(hits);
            if hits > 0 {
                // Hits on disk are already counted as such in the other counters.
                self.hits.add_earlier(&url, EarlierHits::new(hits, Source::Memory));
            }
        }
        Ok((after, Request::AddCounters(Box::new(more))))
    }
}
