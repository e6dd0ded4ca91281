//! How an instance of the component takes over from another one, on the same thread.
//!
//! The successor goes on standby, where it loads the index log, while its predecessor serves. Then the predecessor goes on standby, which
//! completes the log, and the successor is activated with its counters. It has taken over once it has the inbox. Until then, whatever
//! goes wrong, the predecessor is activated again. If either of the two ends, the other one notices.

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

/// How long it may take to be activated, while changes wait.
const MAX_ACTIVATION: Duration = Duration::from_secs(60);

/// The predecessor's side.
pub(crate) struct Successor {
    prepared: oneshot::Receiver<Result<(), String>>,
    activate: oneshot::Sender<wit::Stats>,
    activated: oneshot::Receiver<Result<(), String>>,
    takeover: oneshot::Sender<Inbox>,
}

/// The successor's side.
pub(crate) struct Succession {
    prepared: Option<oneshot::Sender<Result<(), String>>>,
    activate: Option<oneshot::Receiver<wit::Stats>>,
    activated: Option<oneshot::Sender<Result<(), String>>>,
    takeover: oneshot::Receiver<Inbox>,
}

/// A successor that is to be started.
pub(crate) struct NewSuccessor {
    pub component: CacheComponent,
    pub succession: Succession,
}

/// Both sides.
pub(crate) fn succession() -> (Successor, Succession) {
    let ((prepared, is_prepared), (activate, to_activate)) = (oneshot::channel(), oneshot::channel());
    let ((activated, is_activated), (takeover, to_take_over)) = (oneshot::channel(), oneshot::channel());
    let successor = Successor { prepared: is_prepared, activate, activated: is_activated, takeover };
    let succession =
        Succession { prepared: Some(prepared), activate: Some(to_activate), activated: Some(activated), takeover: to_take_over };
    (successor, succession)
}

impl Succession {
    /// Gets an instance ready, and returns the inbox when it is to take over. `None` if it is not.
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

    /// Tells the predecessor that the instance has broken down.
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
        // If the predecessor is gone, `takeover` says so.
        let _ = to.send(what);
    }
}

/// How far the predecessor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It serves, as if nothing was going to happen.
    Serving,
    /// It finishes writing. It can still be asked what changes nothing.
    Finishing,
    /// Its successor is being activated. What it is asked from now on is not in the index log.
    Finished,
}

/// The outcome for the predecessor.
pub(crate) enum Switched {
    /// The successor is ready. The predecessor has counted this so far.
    Ready { takeover: oneshot::Sender<Inbox>, counters: Box<wit::Stats> },
    /// The predecessor is active, as before.
    Kept(ComponentSwapError),
    /// The predecessor cannot be active again, since the directory has changed. It takes another instance.
    Lost(ComponentSwapError),
}

impl Successor {
    /// Gets both instances ready. `phase` says how far that is.
    pub async fn get_ready(
        self,
        accessor: &Accessor<HostState>,
        instance: &Instance,
        hits: &HitBuffer,
        phase: &Cell<Phase>,
    ) -> wasmtime::Result<Switched> {
        let Self { prepared, activate, activated, takeover } = self;
        let broke_down = || Err("it broke down".into());
        let prepared =
            timeout(MAX_LOAD, prepared).await.map_or_else(|_| too_slow(MAX_LOAD), |told| told.unwrap_or_else(|_| broke_down()));
        if let Err(why) = prepared {
            return Ok(Switched::Kept(ComponentSwapError::Start(why)));
        }
        let (guest, cache) = (instance.guest(), instance.cache);
        phase.set(Phase::Finishing);
        instance.standing.send_replace(Standing::OnStandby);
        // The last ones that the index log has. Later ones are for the successor.
        instance.flush_hits(accessor, hits).await?;
        if let Err(error) = guest.call_standby(accessor, cache).await? {
            phase.set(Phase::Serving);
            instance.standing.send_replace(Standing::Active);
            return Ok(Switched::Kept(ComponentSwapError::Save(describe(&error))));
        }
        phase.set(Phase::Finished);
        instance.late_hits.begin();
        let counters = guest.call_stats(accessor, cache).await?;
        // If the successor is gone, the answer is missing as well.
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
            tracing::warn!("the cache component in place is started again, since it cannot go on: {}", describe(&error));
            return Ok(Switched::Lost(why));
        }
        phase.set(Phase::Serving);
        instance.late_hits.end();
        instance.standing.send_replace(Standing::Active);
        Ok(Switched::Kept(why))
    }
}
