//! How an instance of the component takes over from another one, on the same thread.
//!
//! The successor goes on standby, where it loads the index log while its predecessor serves. Then the predecessor goes on standby, which
//! completes the log, and the successor is activated with the predecessor's counters. It has taken over once it owns the inbox. If anything
//! fails before that, the predecessor is activated again. If one of the two ends, the other one notices.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::component::Accessor;

use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::cache::describe;
use crate::component::cache_component::CacheComponent;
use crate::component::swap_error::ComponentSwapError;
use crate::hit_buffer::HitBuffer;
use crate::host_state::HostState;
use crate::inbox::Inbox;
use crate::instance::{Instance, Standing};
use crate::policy::record::Record;

/// How long a successor may take to load the index log, while its predecessor serves.
const MAX_LOAD: Duration = Duration::from_secs(600);

/// How long the activation of a successor may take, while requests that change something wait.
const MAX_ACTIVATION: Duration = Duration::from_secs(60);

/// The predecessor's side of a succession.
pub(crate) struct Successor {
    prepared: oneshot::Receiver<Result<(), String>>,
    activate: oneshot::Sender<wit::Stats>,
    activated: oneshot::Receiver<Result<(), String>>,
    takeover: oneshot::Sender<Inbox>,
}

/// The successor's side of a succession.
pub(crate) struct Succession {
    prepared: Option<oneshot::Sender<Result<(), String>>>,
    activate: Option<oneshot::Receiver<wit::Stats>>,
    activated: Option<oneshot::Sender<Result<(), String>>>,
    takeover: oneshot::Receiver<Inbox>,
}

/// A successor to be started.
pub(crate) struct NewSuccessor {
    pub component: CacheComponent,
    pub succession: Succession,
}

/// Creates both sides.
pub(crate) fn succession() -> (Successor, Succession) {
    let ((prepared, is_prepared), (activate, to_activate)) = (oneshot::channel(), oneshot::channel());
    let ((activated, is_activated), (takeover, to_take_over)) = (oneshot::channel(), oneshot::channel());
    let successor = Successor { prepared: is_prepared, activate, activated: is_activated, takeover };
    let succession =
        Succession { prepared: Some(prepared), activate: Some(to_activate), activated: Some(activated), takeover: to_take_over };
    (successor, succession)
}

impl Succession {
    /// Prepares an instance, and returns the inbox when the instance has to take over. `None` if it does not take over.
    pub async fn succeed(
        &mut self,
        accessor: &Accessor<HostState>,
        instance: &Instance,
        policies: &Arc<Record>,
    ) -> wasmtime::Result<Option<Inbox>> {
        let Self { prepared, activate, activated, takeover } = self;
        let get_ready = async {
            let (guest, cache) = (instance.guest(), instance.cache);
            let loaded = guest.call_standby(accessor, cache).await?;
            tell(prepared, loaded.map(drop).map_err(|error| describe(&error)));
            let Some(Ok(counters)) = OptionFuture::from(activate.take()).await else { return Ok(()) };
            let result = if accessor.with(|mut state| state.get().policy.attach(policies)) {
                guest.call_activate(accessor, cache, Some(counters)).await?.map_err(|error| describe(&error))
            } else {
                Err("the eviction policy was replaced or disabled meanwhile".into())
            };
            tell(activated, result);
            Ok::<(), wasmtime::Error>(())
        };
        tokio::select! {
            biased;
            inbox = &mut *takeover => return Ok(inbox.ok()),
            ready = get_ready => ready?,
        }
        Ok(takeover.await.ok())
    }

    /// Informs the predecessor that the instance has crashed.
    pub fn fail(mut self, why: &str) {
        tell(&mut self.prepared, Err(why.into()));
        tell(&mut self.activated, Err(why.into()));
    }
}

fn too_slow(limit: Duration) -> Result<(), String> {
    Err(format!("it took more than {} seconds", limit.as_secs()))
}

fn tell(to: &mut Option<oneshot::Sender<Result<(), String>>>, what: Result<(), String>) {
    if let Some(to) = to.take() {
        // If the predecessor is gone, `takeover` fails as well.
        let _ = to.send(what);
    }
}

/// The progress of the predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It serves as usual.
    Serving,
    /// It finishes writing. It still serves requests that change nothing.
    Finishing,
    /// Its successor is being activated. Requests that it serves from now on are not in the index log.
    Finished,
}

/// The outcome for the predecessor.
pub(crate) enum Switched {
    /// The successor is ready. `counters` are the predecessor's counters so far.
    Ready { takeover: oneshot::Sender<Inbox>, counters: Box<wit::Stats> },
    /// The predecessor is active as before.
    Kept(ComponentSwapError),
    /// The predecessor cannot be activated again, since the directory has changed. Another instance is needed.
    Lost(ComponentSwapError),
}

impl Successor {
    /// Prepares both instances. `phase` shows the progress.
    pub async fn get_ready(
        self,
        accessor: &Accessor<HostState>,
        instance: &Instance,
        hits: &HitBuffer,
        phase: &Cell<Phase>,
    ) -> wasmtime::Result<Switched> {
        let Self { prepared, activate, activated, takeover } = self;
        let broke_down = || Err("it crashed".into());
        let prepared =
            timeout(MAX_LOAD, prepared).await.map_or_else(|_| too_slow(MAX_LOAD), |told| told.unwrap_or_else(|_| broke_down()));
        if let Err(why) = prepared {
            return Ok(Switched::Kept(ComponentSwapError::Start(why)));
        }
        let (guest, cache) = (instance.guest(), instance.cache);
        phase.set(Phase::Finishing);
        instance.standing.send_replace(Standing::OnStandby);
        // These are the last hits in the index log. Later hits are reported to the successor.
        instance.flush_hits(accessor, hits).await?;
        if let Err(error) = guest.call_standby(accessor, cache).await? {
            phase.set(Phase::Serving);
            instance.standing.send_replace(Standing::Active);
            return Ok(Switched::Kept(ComponentSwapError::Save(describe(&error))));
        }
        phase.set(Phase::Finished);
        instance.late_hits.begin();
        let counters = guest.call_stats(accessor, cache).await?;
        // Sending can only fail if the successor is gone. In that case, its answer does not arrive either.
        let _ = activate.send(counters);
        let activated = timeout(MAX_ACTIVATION, activated)
            .await
            .map_or_else(|_| too_slow(MAX_ACTIVATION), |told| told.unwrap_or_else(|_| broke_down()));
        let Err(why) = activated else {
            return Ok(Switched::Ready { takeover, counters: Box::new(counters) });
        };
        // The successor ends now, before this instance writes again.
        drop(takeover);
        let why = ComponentSwapError::Activate(why);
        if let Err(error) = guest.call_activate(accessor, cache, None).await? {
            tracing::warn!("the current cache component is being restarted, since it cannot continue: {}", describe(&error));
            return Ok(Switched::Lost(why));
        }
        phase.set(Phase::Serving);
        instance.late_hits.end();
        instance.standing.send_replace(Standing::Active);
        Ok(Switched::Kept(why))
    }
}
