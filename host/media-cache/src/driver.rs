//! The thread that owns a cache component's store.
//!
//! It takes requests from a channel and starts a task for each, inside one `run_concurrent` that lasts as long as the instance: the
//! component serves many requests at once, as an event loop does, and small file operations run in place. Everything that takes
//! long (downloads, transcoding, bulk reads and writes) happens elsewhere.
//!
//! A trap ends the instance, and with it whatever was under way: those requests are told so, and a new instance is made, which loads
//! what is on disk.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use wasmtime::Store;
use wasmtime::component::{Accessor, AccessorTask, ResourceAny};

use crate::availability::{Availability, Trouble};
use crate::backoff::Backoff;
use crate::bindings::cache::MediaCache as Bindings;
use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::cache::describe;
use crate::cache_engine::CacheComponent;
use crate::directory_watch::DirectoryWatch;
use crate::driver_slices::{DriverSlices, Work};
use crate::engine::Engine;
use crate::hit_buffer::HitBuffer;
use crate::host_state::HostState;
use crate::inbox::{Inbox, Message};
use crate::load_task::LoadTask;
use crate::loading::Loaded;
use crate::media::{Delivered, PutOutcome, Refreshed, Status, StoreError};
use crate::request::{Reply, Request};
use crate::slow_operations::SlowOperations;
use crate::transfer::{hand_over, receive};

/// Makes the data of a new store.
pub(crate) type MakeState = Box<dyn Fn() -> wasmtime::Result<HostState> + Send>;

/// What the thread works with.
pub(crate) struct Driver {
    pub engine: Engine,
    pub component: CacheComponent,
    pub options: wit::Options,
    pub make_state: MakeState,
    pub hits: Arc<HitBuffer>,
    pub restarts: Arc<AtomicU64>,
    /// Whether the directory is loaded.
    pub loaded: Loaded,
    pub availability: Arc<Availability>,
    pub directory: Arc<DirectoryWatch>,
    pub slices: Arc<DriverSlices>,
    /// The operations that other threads do for the component.
    pub operations: Arc<SlowOperations>,
}

/// How often the index log is appended to, while requests arrive.
const CHECKPOINT: Duration = Duration::from_millis(500);

/// Without requests, it is every so many times. That finds out whether a disk that failed works again.
const IDLE_CHECKPOINTS: u32 = 10;

/// How often a directory is asked for that another process has.
const LOCK_RETRY: Duration = Duration::from_secs(1);

/// Why a run of an instance ended.
enum End {
    /// Everybody went away.
    Abandoned,
    /// Somebody asked for it, and waits.
    Closed(Reply<Result<(), StoreError>>, Result<(), StoreError>),
    /// There is another directory in place of its own.
    Replaced,
}

impl Driver {
    /// Runs until the last sender is gone, or a `Close`. `ready` is told when the first instance is there.
    ///
    /// If there can be no instance, or each breaks down at once, requests are refused until the next attempt.
    pub async fn run(self, mut inbox: Inbox, ready: Reply<wasmtime::Result<()>>) {
        let mut ready = Some(ready);
        let mut backoff = Backoff::default();
        loop {
            while !self.directory.is_ours() {
                self.availability.begin(Trouble::Down, "another process has the directory");
                if !self.pause(LOCK_RETRY, &mut inbox).await {
                    return;
                }
            }
            let answered = Arc::new(AtomicBool::new(false));
            let outcome = match (self.instantiate().await, ready.take()) {
                (Ok(instance), ready) => {
                    let _ = ready.map(|ready| ready.send(Ok(())));
                    self.run_instance(instance, &mut inbox, &answered).await
                }
                (Err(error), None) => Err(error),
                (Err(error), Some(ready)) => return drop(ready.send(Err(error))),
            };
            // The handles of one instance mean nothing to the next.
            self.hits.forget_handles();
            let trap = match outcome {
                Ok(End::Abandoned) => return,
                Ok(End::Closed(reply, result)) => return drop(reply.send(result)),
                Ok(End::Replaced) => continue,
                Err(trap) => trap,
            };
            self.restarts.fetch_add(1, Ordering::Relaxed);
            tracing::error!("the cache component broke down and is started again: {trap:?}");
            if let Some(pause) = backoff.pause(answered.load(Ordering::Relaxed)) {
                let cause = trap.root_cause().to_string();
                let cause = cause.lines().next().unwrap_or_default();
                self.availability.begin(Trouble::Down, format!("the cache component does not start: {cause}"));
                if !self.pause(pause, &mut inbox).await {
                    return;
                }
            }
        }
    }

    /// Runs an instance to its end. With it go its open files.
    async fn run_instance(
        &self,
        (mut store, bindings): (Store<HostState>, Bindings),
        inbox: &mut Inbox,
        answered: &Arc<AtomicBool>,
    ) -> wasmtime::Result<End> {
        let bindings = Arc::new(bindings);
        let serve = async |accessor: &Accessor<HostState>| self.slices.look(self.serve(accessor, &bindings, inbox, answered)).await;
        self.slices.run(store.run_concurrent(serve)).await.flatten()
    }

    /// Refuses whatever is asked for some time. False if there is nobody left to ask.
    async fn pause(&self, time: Duration, inbox: &mut Inbox) -> bool {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            let message = tokio::select! {
                () = &mut over => return true,
                message = inbox.next() => message,
            };
            match message {
                None => return false,
                Some(Message::Request(Request::Close(reply))) => {
                    let why = "there is no instance of the cache component that could save the index";
                    let _ = reply.send(Err(StoreError::Disk(why.into())));
                    return false;
                }
                // Dropping it answers it.
                Some(_) => {}
            }
        }
    }

    async fn instantiate(&self) -> wasmtime::Result<(Store<HostState>, Bindings)> {
        let engine = self.engine.caches();
        let mut store = Store::new(engine.wasmtime(), (self.make_state)()?);
        let bindings = Bindings::instantiate_async(&mut store, &self.component.0, engine.linker()).await?;
        Ok((store, bindings))
    }

    /// Serves requests with one instance.
    async fn serve(
        &self,
        accessor: &Accessor<HostState>,
        bindings: &Arc<Bindings>,
        inbox: &mut Inbox,
        answered: &Arc<AtomicBool>,
    ) -> wasmtime::Result<End> {
        let guest = bindings.media_cache_cache_cache().media_cache();
        let cache = guest.call_constructor(accessor, self.options.clone()).await?;
        let (restarts, answered, availability) = (self.restarts.clone(), answered.clone(), self.availability.clone());
        let slices = self.slices.clone();
        let instance = Arc::new(Instance { bindings: bindings.clone(), cache, restarts, answered, availability, slices });
        // Nothing is ever sent: the receiver is told when the last task, and with it the last sender, is gone.
        let (under_way, mut all_done) = mpsc::channel::<Infallible>(1);
        let on_loaded = {
            let instance = instance.clone();
            Box::new(move || instance.has_answered())
        };
        let (loaded, slices) = (self.loaded.clone(), self.slices.clone());
        accessor.spawn(LoadTask { bindings: bindings.clone(), cache, loaded, on_loaded, slices })?;
        let mut closing = None;
        let mut checkpoints = Checkpoints::new(instance.clone());
        loop {
            let message = tokio::select! {
                biased;
                () = self.directory.replaced() => return Ok(End::Replaced),
                message = inbox.next() => message,
                () = checkpoints.tick() => {
                    self.flush_hits(accessor, bindings, cache).await?;
                    checkpoints.spawn(accessor)?;
                    continue;
                }
            };
            self.flush_hits(accessor, bindings, cache).await?;
            let request = match message {
                None => break,
                Some(Message::Request(Request::Close(reply))) => {
                    closing = Some(reply);
                    break;
                }
                Some(Message::Request(request)) => request,
                Some(Message::Command(command)) => {
                    let _seeding = self.slices.during(Work::Policy);
                    accessor.with(|mut state| command(&mut state.get().policy));
                    continue;
                }
            };
            checkpoints.requested = true;
            accessor.spawn(Task { request, instance: instance.clone(), _under_way: under_way.clone() })?;
        }
        // Whoever asked after the end was asked for is told so; tasks must not wait for an answer to what nobody will serve.
        inbox.close().await;
        drop(under_way);
        let _ = all_done.recv().await;
        self.flush_hits(accessor, bindings, cache).await?;
        let written = guest.call_close(accessor, cache).await?;
        if let Err(error) = &written {
            tracing::warn!("the index log is not complete, so the next start takes longer: {}", describe(error));
        }
        Ok(closing.map_or(End::Abandoned, |reply| End::Closed(reply, written)))
    }

    /// Tells the component of the hits that it was not asked for.
    async fn flush_hits(&self, accessor: &Accessor<HostState>, bindings: &Bindings, cache: ResourceAny) -> wasmtime::Result<()> {
        let handles = self.hits.take();
        if handles.is_empty() {
            return Ok(());
        }
        let hits = handles.into_iter().map(|handle| wit::Hit { handle, source: wit::Source::Memory }).collect();
        bindings.media_cache_cache_cache().media_cache().call_record_hits(accessor, cache, hits).await
    }
}

/// When the index log is appended to.
struct Checkpoints {
    instance: Arc<Instance>,
    interval: tokio::time::Interval,
    /// Whether a request has arrived since the last time.
    requested: bool,
    /// How often none had.
    idle: u32,
    in_progress: Arc<AtomicBool>,
}

impl Checkpoints {
    fn new(instance: Arc<Instance>) -> Self {
        let mut interval = tokio::time::interval(CHECKPOINT);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { instance, interval, requested: false, idle: 0, in_progress: Arc::default() }
    }

    /// Waits until it is time.
    async fn tick(&mut self) {
        self.interval.tick().await;
    }

    fn spawn(&mut self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        self.idle = if std::mem::take(&mut self.requested) { 0 } else { self.idle + 1 };
        if !self.idle.is_multiple_of(IDLE_CHECKPOINTS) || self.in_progress.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        accessor.spawn(CheckpointTask { instance: self.instance.clone(), in_progress: self.in_progress.clone() })?;
        Ok(())
    }
}

/// Appends to the index log. Whether that fails is part of the health of the cache.
struct CheckpointTask {
    instance: Arc<Instance>,
    in_progress: Arc<AtomicBool>,
}

impl AccessorTask<HostState> for CheckpointTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let Instance { bindings, cache, slices, .. } = &*self.instance;
        let _checkpoint = slices.during(Work::Checkpoint);
        let saved = bindings.media_cache_cache_cache().media_cache().call_checkpoint(accessor, *cache).await?;
        if let Err(error) = saved {
            tracing::debug!("the index log cannot be written: {}", describe(&error));
        }
        self.in_progress.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// A request that is being served.
struct Task {
    request: Request,
    instance: Arc<Instance>,
    _under_way: mpsc::Sender<Infallible>,
}

/// What all tasks of an instance share.
struct Instance {
    bindings: Arc<Bindings>,
    cache: ResourceAny,
    restarts: Arc<AtomicU64>,
    /// Whether this instance has answered anything.
    answered: Arc<AtomicBool>,
    availability: Arc<Availability>,
    slices: Arc<DriverSlices>,
}

impl Instance {
    fn has_answered(&self) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.availability.end(Trouble::Down);
        }
    }
}

impl AccessorTask<HostState> for Task {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let Instance { bindings, cache, .. } = &*self.instance;
        let guest = bindings.media_cache_cache_cache().media_cache();
        // Whoever asked may have gone away; then nobody gets the answer.
        match self.request {
            Request::Get { url, reply } => {
                let media = guest.call_get(accessor, *cache, url).await?;
                drop(reply.send(media.map(|media| take(accessor, media)).transpose()?));
            }
            Request::GetOrDownload { url, reply } => {
                let answer = match guest.call_get_or_download(accessor, *cache, url, None).await? {
                    Ok(media) => Ok(take(accessor, media)?),
                    Err(error) => Err(error.into()),
                };
                drop(reply.send(answer));
            }
            // Boxed, since the future of the largest request would otherwise be moved with each of the others.
            request => Box::pin(serve_other(request, accessor, &self.instance)).await?,
        }
        self.instance.has_answered();
        Ok(())
    }
}

/// Takes delivered media out of the component's table.
fn take(accessor: &Accessor<HostState>, media: wit::Media) -> wasmtime::Result<Delivered> {
    accessor.with(|mut state| receive(state.get(), media))
}

/// Serves a request other than those for media.
async fn serve_other(request: Request, accessor: &Accessor<HostState>, instance: &Instance) -> wasmtime::Result<()> {
    let (guest, cache) = (instance.bindings.media_cache_cache_cache().media_cache(), instance.cache);
    match request {
        // Whoever asked for this went away before anything was done about it.
        Request::Put { reply, .. } if reply.is_closed() => {}
        Request::Remove { reply, .. } if reply.is_closed() => {}
        Request::RemoveMatching { reply, .. } if reply.is_closed() => {}
        Request::Put { url, media, reply } => {
            let media = accessor.with(|mut state| hand_over(state.get(), &url, *media))?;
            let answer = match guest.call_put(accessor, cache, url, media).await? {
                Ok(wit::PutOutcome { media, known, not_stored }) => {
                    Ok(PutOutcome { media: take(accessor, media)?.media, known, not_stored })
                }
                Err(error) => Err(error),
            };
            drop(reply.send(answer));
        }
        Request::Refresh { url, reply } => {
            let answer = match guest.call_refresh(accessor, cache, url, None).await? {
                Ok(wit::RefreshOutcome { media, modified, not_stored }) => {
                    Ok(Refreshed { media: take(accessor, media)?, modified, not_stored })
                }
                Err(error) => Err(error.into()),
            };
            drop(reply.send(answer));
        }
        Request::Remove { url, reply } => drop(reply.send(guest.call_remove(accessor, cache, url).await?)),
        Request::Verify { url, reply } => drop(reply.send(guest.call_verify(accessor, cache, url).await?)),
        Request::Entries { after, limit, reply } => {
            let _listing = instance.slices.during(Work::Listing);
            drop(reply.send(guest.call_entries(accessor, cache, after, limit).await?));
        }
        Request::RemoveMatching { filter, reply } => {
            let _removal = instance.slices.during(Work::Removal);
            drop(reply.send(guest.call_remove_matching(accessor, cache, filter).await?));
        }
        Request::Health(reply) => drop(reply.send(guest.call_health(accessor, cache).await?)),
        Request::Checkpoint(reply) => drop(reply.send(guest.call_checkpoint(accessor, cache).await?)),
        Request::Status(reply) => {
            let stats = guest.call_stats(accessor, cache).await?;
            let status = accessor.with(|mut state| {
                let state = state.get();
                Status {
                    cache: stats,
                    policy: state.policy.status(),
                    // One is the state's own.
                    blob_handles: Arc::strong_count(&state.handles) - 1,
                    restarts: instance.restarts.load(Ordering::Relaxed),
                }
            });
            drop(reply.send(status));
        }
        Request::FlushHits(reply) => drop(reply.send(())),
        // These are served elsewhere: by the task, and by the loop that starts the tasks.
        Request::Get { .. } | Request::GetOrDownload { .. } | Request::Close(_) => {}
    }
    Ok(())
}
