//! An instance of the cache component, as its callers see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};
use wasmtime::component::{Accessor, ResourceAny};

use crate::availability::{Availability, Trouble};
use crate::bindings::cache::MediaCache as Bindings;
use crate::bindings::cache::exports::media_cache::cache::cache as wit;
use crate::component::record::ComponentRecord;
use crate::counters::Counted;
use crate::driver_slices::DriverSlices;
use crate::fetching::Fetching;
use crate::hit_buffer::{EarlierHits, HitBuffer};
use crate::host_state::HostState;
use crate::late_hits::LateHits;
use crate::request::Request;
use crate::resident_index::ResidentIndex;

/// The standing of an instance, which determines whether it stores the media that it fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The instance stores media.
    Active,
    /// The instance stores nothing, because another instance is about to take over, or has just failed to do so.
    OnStandby,
    /// Another instance has taken over.
    Retired,
}

/// An instance of the component.
pub(crate) struct Instance {
    pub bindings: Arc<Bindings>,
    pub cache: ResourceAny,
    pub restarts: Arc<AtomicU64>,
    pub components: Arc<ComponentRecord>,
    /// Whether this instance has answered anything.
    pub answered: Arc<AtomicBool>,
    /// Whether the directory is loaded.
    pub loaded: AtomicBool,
    pub availability: Arc<Availability>,
    pub slices: Arc<DriverSlices>,
    pub standing: watch::Sender<Standing>,
    pub fetching: Arc<Fetching>,
    pub late_hits: LateHits,
    /// The last known counters, of this or an earlier instance.
    pub counted: Arc<Counted>,
    /// Where to send requests that the successor has to repeat.
    pub handovers: mpsc::UnboundedSender<Request>,
    /// `None` if every hit should call the component.
    pub residents: Option<Arc<ResidentIndex>>,
}

impl Instance {
    /// The exports of the component.
    pub fn guest(&self) -> wit::GuestMediaCache<'_> {
        self.bindings.media_cache_cache_cache().media_cache()
    }

    /// Records that the instance has answered, which shows that the component works.
    pub fn has_answered(&self) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.availability.end(Trouble::Down);
        }
    }

    /// Records that the directory has been loaded.
    pub fn has_loaded(&self) {
        self.loaded.store(true, Ordering::Relaxed);
        self.has_answered();
    }

    /// Whether the directory is loaded.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Relaxed)
    }

    /// The current standing of the instance.
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Returns a check of whether the instance has been active without interruption since this call.
    pub fn active_since_now(&self) -> impl Fn() -> bool + use<> {
        let mut standing = self.standing.subscribe();
        let was_active = *standing.borrow_and_update() == Standing::Active;
        move || was_active && standing.has_changed().is_ok_and(|has_changed| !has_changed)
    }

    /// Waits until the instance is active or retired.
    pub async fn next_standing(&self) -> Standing {
        let mut standing = self.standing.subscribe();
        let decided = standing.wait_for(|standing| *standing != Standing::OnStandby).await.map(|standing| *standing);
        // Cannot fail, since the sender is in `self`.
        decided.unwrap_or(Standing::Retired)
    }

    /// Reports to the component the hits that were served without it.
    pub async fn flush_hits(&self, accessor: &Accessor<HostState>, buffer: &HitBuffer) -> wasmtime::Result<()> {
        let hits = buffer.take();
        if !hits.is_empty() {
            let hits = hits.into_iter().map(|(handle, source)| wit::Hit { handle, source: source.into() }).collect();
            self.guest().call_record_hits(accessor, self.cache, hits).await?;
        }
        if self.is_loaded() {
            let earlier = buffer.take_earlier();
            if !earlier.is_empty() {
                let hits = earlier.into_iter().map(|(url, EarlierHits { hits, disk_hits })| {
                    let url = url.into();
                    wit::EarlierHits { url, hits, disk_hits }
                });
                let hits = hits.collect();
                self.guest().call_record_earlier_hits(accessor, self.cache, hits).await?;
            }
        }
        Ok(())
    }
}
