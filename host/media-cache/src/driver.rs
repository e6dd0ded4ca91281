//! The thread that owns the stores of the cache component's instances.
//!
//! It takes requests from a channel and starts a task for each, inside one `run_concurrent` that lasts as long as the instance. The
//! component serves many requests concurrently, like an event loop, and small file operations run on this thread. Everything that takes
//! long (downloads, transcoding, bulk reads and writes) runs elsewhere.
//!
//! A trap ends the instance and all work in progress. The affected requests fail, and a new instance loads the entries from disk. There is
//! more than one instance only while a component is being replaced, and only one of them writes. All instances run on this thread, so if it
//! hangs, no other instance can start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use wasmtime::Store;
use wasmtime::component::Accessor;

use crate::availability::{Availability, Trouble};
use crate::backoff::{Backoff, MAX_FRUITLESS_INSTANCES};
use crate::bindings::cache::MediaCache as Bindings;
use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::component::cache_component::CacheComponent;
use crate::component::swap_error::ComponentSwapError;
use crate::driver_slices::{DriverSlices, Work};
use crate::engine::Engine;
use crate::host_state::HostState;
use crate::inbox::{Inbox, Message};
use crate::instance::{Instance, Standing};
use crate::late_hits::LateHits;
use crate::load_task::LoadTask;
use crate::loading::Loaded;
use crate::media::StoreError;
use crate::request::{Reply, Request};
use crate::serving::{End, Serving};
use crate::slow_operations::SlowOperations;
use crate::succession::{NewSuccessor, Succession};

/// Creates the state for a new store.
pub(crate) type MakeState = Box<dyn Fn() -> wasmtime::Result<HostState> + Send>;

/// The state of the driver thread.
pub(crate) struct Driver {
    pub engine: Engine,
    pub options: wit::Options,
    pub make_state: MakeState,
    pub restarts: Arc<AtomicU64>,
    /// The number of instances so far.
    pub instances: AtomicU64,
    /// Whether the directory has been loaded.
    pub loaded: Loaded,
    pub availability: Arc<Availability>,
    /// Where replaced instances send the requests that they hand over.
    pub handovers: mpsc::UnboundedSender<Request>,
    pub slices: Arc<DriverSlices>,
    /// The operations that other threads perform for the component.
    pub operations: Arc<SlowOperations>,
    pub serving: Serving,
    /// The component that runs if the first one fails to start.
    pub fallback: Option<CacheComponent>,
}

/// How often to retry locking a directory that another process uses.
const LOCK_RETRY: Duration = Duration::from_secs(1);

/// The reason that is reported while another process is using the directory.
const IN_USE: &str = "another process is using the directory";

/// A sequence of instances of a component.
struct Line {
    component: CacheComponent,
    /// The inbox, if this line is the one that serves the requests.
    inbox: Option<Inbox>,
    /// Receives the result of starting the first instance.
    ready: Option<Reply<wasmtime::Result<()>>>,
    /// Set while another component is being tried: the previous component, and where to send the outcome.
    trial: Option<Trial>,
    /// The component that runs if this one fails to start.
    fallback: Option<CacheComponent>,
    /// Set if the first instance takes over from another one.
    succession: Option<Succession>,
}

/// The state that is used once an instance has started.
struct Started<'a> {
    component: &'a CacheComponent,
    trial: &'a mut Option<Trial>,
    succession: &'a mut Option<Succession>,
}

/// The trial of a component in place of one that fails to start.
struct Trial {
    /// The component that fails to start.
    before: CacheComponent,
    reply: Reply<Result<(), ComponentSwapError>>,
}

/// How a pause ended.
enum Paused {
    /// It is time for the next attempt.
    Over,
    /// All senders have been dropped, or the cache was closed.
    Ended,
    /// Another component should be tried.
    Replace(CacheComponent, Reply<Result<(), ComponentSwapError>>),
}

impl Driver {
    /// Runs until the last sender is dropped or a `Close` arrives. `ready` receives the result of starting the first instance.
    ///
    /// If no instance can be created, or every instance crashes immediately, requests are refused until the next attempt.
    pub async fn run(self, inbox: Inbox, ready: Reply<wasmtime::Result<()>>) {
        let (successors, mut new_successors) = mpsc::unbounded_channel();
        let component = self.serving.components.current();
        let (ready, fallback) = (Some(ready), self.fallback.clone());
        let first = Line { component, inbox: Some(inbox), ready, trial: None, fallback, succession: None };
        let mut lines = FuturesUnordered::new();
        lines.push(self.run_line(first, &successors));
        loop {
            tokio::select! {
                Some(()) = lines.next() => if lines.is_empty() {
                    return;
                },
                Some(NewSuccessor { component, succession }) = new_successors.recv() => {
                    let succession = Some(succession);
                    let line = Line { component, inbox: None, ready: None, trial: None, fallback: None, succession };
                    lines.push(self.run_line(line, &successors));
                }
            }
        }
    }

    /// Runs instances of a component until another component has taken over or the driver ends.
    async fn run_line(&self, line: Line, successors: &mpsc::UnboundedSender<NewSuccessor>) {
        let Line { mut component, mut inbox, mut ready, mut trial, mut fallback, mut succession } = line;
        let mut backoff = Backoff::default();
        // The number of consecutive instances that crashed before they had answered anything, for reasons other than the directory.
        let mut own_failures = 0;
        loop {
            while let Some(inbox) = &mut inbox
                && !self.serving.directory.is_ours()
            {
                self.availability.begin(Trouble::Down, IN_USE);
                if let Some(Trial { before, reply }) = trial.take() {
                    component = before;
                    drop(reply.send(Err(ComponentSwapError::Unavailable(IN_USE.into()))));
                }
                match self.pause(LOCK_RETRY, inbox).await {
                    Paused::Over => {}
                    Paused::Ended => return,
                    // The component could not be tried.
                    Paused::Replace(_, reply) => drop(reply.send(Err(ComponentSwapError::Unavailable(IN_USE.into())))),
                }
            }
            let answered = Arc::new(AtomicBool::new(false));
            let state = (self.make_state)();
            // If creating the state failed, none of the component's code has run.
            let component_is_to_blame = state.is_ok();
            let instantiated = match state {
                Ok(state) => self.instantiate(&component, state, succession.is_some()).await,
                Err(error) => Err(error),
            };
            let outcome = match (instantiated, ready.take()) {
                (Ok(store), ready) => {
                    let _ = ready.map(|ready| ready.send(Ok(())));
                    let started = Started { component: &component, trial: &mut trial, succession: &mut succession };
                    self.run_instance(store, &mut inbox, started, &answered, successors).await
                }
                (Err(error), Some(ready)) if fallback.is_none() || !component_is_to_blame => {
                    return drop(ready.send(Err(error)));
                }
                (Err(error), not_ready) => {
                    ready = not_ready;
                    Err(error)
                }
            };
            let Some(inbox) = &mut inbox else {
                return end_without_inbox(outcome, succession);
            };
            let trap = match outcome {
                Ok(End::Abandoned) => return,
                Ok(End::Closed(reply, result)) => return drop(reply.send(result)),
                Ok(End::Outdated | End::Retired) => continue,
                Err(trap) => trap,
            };
            if let Some(Trial { before, reply }) = trial.take() {
                component = before;
                drop(reply.send(Err(ComponentSwapError::Start(cause_of(&trap)))));
                continue;
            }
            self.restarts.fetch_add(1, Ordering::Relaxed);
            tracing::error!("the cache component crashed and is being restarted: {trap:?}");
            let has_answered = answered.load(Ordering::Relaxed);
            own_failures = if has_answered { 0 } else { own_failures + u32::from(component_is_to_blame) };
            if let Some(pause) = backoff.pause(has_answered) {
                if let Some(fallback) = fallback.take_if(|_| own_failures >= MAX_FRUITLESS_INSTANCES) {
                    let [from, to] = [&component, &fallback].map(|component| component.description().to_string());
                    tracing::error!(
                        "{MAX_FRUITLESS_INSTANCES} instances of the cache component {from} in a row crashed before they had answered \
                         anything; running {to} until it is replaced or the cache is opened again"
                    );
                    self.serving.components.fell_back(fallback.clone());
                    (component, backoff) = (fallback, Backoff::default());
                    continue;
                }
                let reason = format!("the cache component failed to start: {}", cause_of(&trap));
                self.availability.begin(Trouble::Down, reason);
                match self.pause(pause, inbox).await {
                    Paused::Over => {}
                    Paused::Ended => return,
                    Paused::Replace(next, reply) => {
                        // A component that was just selected must not be replaced automatically.
                        fallback = None;
                        trial = Some(Trial { before: std::mem::replace(&mut component, next), reply });
                    }
                }
            }
        }
    }

    /// Runs an instance until it ends, and then closes its open files.
    async fn run_instance(
        &self,
        (mut store, bindings): (Store<HostState>, Bindings),
        inbox: &mut Option<Inbox>,
        Started { component, trial, succession }: Started<'_>,
        answered: &Arc<AtomicBool>,
        successors: &mpsc::UnboundedSender<NewSuccessor>,
    ) -> wasmtime::Result<End> {
        let (number, bindings) = (store.data().instance, Arc::new(bindings));
        let serve = async |accessor: &Accessor<HostState>| {
            let guest = bindings.media_cache_cache_cache().media_cache();
            let instance = Arc::new(Instance {
                cache: guest.call_constructor(accessor, self.options.clone()).await?,
                bindings: bindings.clone(),
                restarts: self.restarts.clone(),
                components: self.serving.components.clone(),
                answered: answered.clone(),
                loaded: AtomicBool::new(false),
                availability: self.availability.clone(),
                slices: self.slices.clone(),
                standing: watch::Sender::new(Standing::Active),
                fetching: Arc::default(),
                late_hits: LateHits::default(),
                counted: self.serving.counted.clone(),
                handovers: self.handovers.clone(),
                residents: self.serving.residents.clone(),
            });
            if let Some(Trial { reply, .. }) = trial.take() {
                self.serving.components.swapped(component.clone());
                let _ = reply.send(Ok(()));
            }
            if let Some(takes_over) = succession.as_mut() {
                let _load = self.slices.during(Work::Load);
                *inbox = takes_over.succeed(accessor, &instance, &self.serving.policies).await?;
                if inbox.is_none() {
                    return Ok(End::Retired);
                }
                *succession = None;
                instance.has_loaded();
            } else {
                if let Some(counted) = instance.counted.last() {
                    guest.call_continue_counters(accessor, instance.cache, counted).await?;
                }
                accessor.spawn(LoadTask { instance: instance.clone(), loaded: self.loaded.clone() })?;
            }
            self.serving.hits.begin_instance(number, self.serving.residents.as_deref());
            self.slices.look(self.serving.serve(accessor, &instance, inbox, successors)).await
        };
        self.slices.run(store.run_concurrent(serve)).await.flatten()
    }

    /// Refuses requests for some time, or until the directory has been replaced. Only requests to replace the component are accepted, since
    /// there is no instance that has to hand over its state.
    async fn pause(&self, time: Duration, inbox: &mut Inbox) -> Paused {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            let message = tokio::select! {
                () = &mut over => return Paused::Over,
                () = self.serving.directory.replaced() => {
                    self.serving.counted.forget();
                    return Paused::Over;
                }
                message = inbox.next(true) => message,
            };
            match message {
                None => return Paused::Ended,
                Some(Message::Request(Request::Close(reply))) => {
                    let why = "the index cannot be saved, because no instance of the cache component is running";
                    let _ = reply.send(Err(StoreError::Disk(why.into())));
                    return Paused::Ended;
                }
                Some(Message::Request(Request::Replace { component, reply })) => return Paused::Replace(component, reply),
                // Dropping the message answers the request.
                Some(_) => {}
            }
        }
    }

    async fn instantiate(
        &self,
        component: &CacheComponent,
        mut state: HostState,
        for_standby: bool,
    ) -> wasmtime::Result<(Store<HostState>, Bindings)> {
        let engine = self.engine.caches();
        state.instance = self.instances.fetch_add(1, Ordering::Relaxed) + 1;
        if for_standby {
            state.policy.detach();
        }
        let mut store = Store::new(engine.wasmtime(), state);
        let bindings = Bindings::instantiate_async(&mut store, component.compiled(), engine.linker()).await?;
        Ok((store, bindings))
    }
}

/// Handles the end of an instance without an inbox: one that was replaced, or one that failed to take over.
fn end_without_inbox(outcome: wasmtime::Result<End>, succession: Option<Succession>) {
    match (outcome, succession) {
        (Ok(_), _) => {}
        (Err(trap), Some(succession)) => {
            tracing::warn!("the new cache component crashed before it took over: {trap:?}");
            succession.fail(&cause_of(&trap));
        }
        (Err(trap), None) => tracing::error!("a replaced cache component crashed before it had finished its requests: {trap:?}"),
    }
}

/// The root cause of a trap, as one line.
fn cause_of(trap: &wasmtime::Error) -> String {
    let cause = trap.root_cause().to_string();
    cause.lines().next().unwrap_or_default().into()
}
