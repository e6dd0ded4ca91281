//! The state that all requests to a service share.

use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use media_cache::component::RememberedComponent;
use media_cache::policy::{RememberedPolicy, SwapError};
use media_cache::{Media, MediaCache};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::dashboard::state::DashboardState;
use crate::logs::requests::{RequestLog, SharedRequestLog};
use crate::metrics::registry::Metrics;
use crate::policy_check::PolicyCheck;
use crate::problem::Problem;
use crate::request_trace::RequestTracer;
use crate::second_tier::SecondTier;
use crate::shadow_report::ShadowReport;
use crate::uploads::Uploads;
use media_cache_requests::Pseudonym;
use media_cache_trace::{MediaKind, RecordedRequest, TraceRecorder};

/// A service whose cache may still be loading. Cloning it is cheap, and clones share its state.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    cache: watch::Receiver<Option<MediaCache>>,
    max_body_bytes: u64,
    extras: Extras,
    /// Locked while the policy or the cache component is being replaced.
    swap: Arc<Mutex<()>>,
    /// Locked while an uploaded policy is being checked.
    check: Arc<Mutex<()>>,
    dashboard: DashboardState,
    uploads: Uploads,
}

/// The optional parts of a service.
#[derive(Default)]
pub struct Extras {
    /// Where the selected policy is saved for the next start.
    pub remembered: Option<RememberedPolicy>,
    /// Where the cache component is saved for the next start.
    pub remembered_component: Option<RememberedComponent>,
    /// Records every request for media.
    pub recorder: Option<TraceRecorder>,
    /// The name of the service in the `Via` of its own requests:
    /// [`HttpOptions::via`](media_cache_http_downloader::HttpOptions::via). Requests that carry it are refused.
    pub pseudonym: Option<Pseudonym>,
    /// The metrics of the service. The downloads and the transcoding of the cache should be measured by the same metrics.
    pub metrics: Metrics,
    /// Which requests are logged, and how.
    pub request_log: SharedRequestLog,
    /// The report on shadow policies, if they are running.
    pub shadows: Option<Arc<dyn ShadowReport>>,
    /// The second tier, if there is one.
    pub tier: Option<Arc<dyn SecondTier>>,
    /// Decides which requests are traced. `None` if none are.
    pub tracer: Option<Arc<dyn RequestTracer>>,
    /// Checks uploaded policies for `/policy/check`.
    pub policy_check: Option<Arc<dyn PolicyCheck>>,
}

impl Service {
    /// A service for the cache that `cache` will hold. Until then, requests for media wait, and `/readyz` returns 503. The body of a PUT
    /// to `/media` may have at most `max_body_bytes` bytes.
    #[must_use]
    pub fn new(cache: watch::Receiver<Option<MediaCache>>, max_body_bytes: u64, extras: Extras) -> Self {
        let (swap, check, uploads, dashboard) = (Arc::default(), Arc::default(), Uploads::default(), DashboardState::new());
        Self(Arc::new(Shared { cache, max_body_bytes, extras, swap, check, dashboard, uploads }))
    }

    /// A service for a cache that is loaded.
    #[must_use]
    pub fn of(cache: MediaCache, max_body_bytes: u64) -> Self {
        Self::new(watch::channel(Some(cache)).1, max_body_bytes, Extras::default())
    }

    /// Returns the cache as soon as it is loaded.
    pub(crate) async fn cache(&self) -> Result<MediaCache, Problem> {
        let gone = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-loaded", "the cache could not be loaded");
        if let Some(cache) = self.loaded_cache() {
            return Ok(cache);
        }
        let mut loading = self.0.cache.clone();
        let loaded = loading.wait_for(Option::is_some).await.map_err(|_| gone())?;
        loaded.clone().ok_or_else(gone)
    }

    /// The cache, if it is loaded.
    pub(crate) fn loaded_cache(&self) -> Option<MediaCache> {
        self.0.cache.borrow().clone()
    }

    pub(crate) fn max_body_bytes(&self) -> u64 {
        self.0.max_body_bytes
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    pub(crate) fn remembered(&self) -> Option<&RememberedPolicy> {
        self.0.extras.remembered.as_ref()
    }

    pub(crate) fn remembered_component(&self) -> Option<&RememberedComponent> {
        self.0.extras.remembered_component.as_ref()
    }

    pub(crate) fn pseudonym(&self) -> Option<&Pseudonym> {
        self.0.extras.pseudonym.as_ref()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.extras.metrics
    }

    pub(crate) fn request_log(&self) -> RequestLog {
        self.0.extras.request_log.get()
    }

    /// Prevents other swaps, of the policy or of the cache component, until the guard is dropped.
    pub(crate) fn lock_swap(&self) -> Result<OwnedMutexGuard<()>, SwapError> {
        self.0.swap.clone().try_lock_owned().map_err(|_| SwapError::Busy)
    }

    /// Prevents other checks of policies until the guard is dropped. `None` if there is one.
    pub(crate) fn lock_check(&self) -> Option<OwnedMutexGuard<()>> {
        self.0.check.clone().try_lock_owned().ok()
    }

    pub(crate) fn dashboard(&self) -> &DashboardState {
        &self.0.dashboard
    }

    pub(crate) fn shadows(&self) -> Option<&Arc<dyn ShadowReport>> {
        self.0.extras.shadows.as_ref()
    }

    pub(crate) fn tier(&self) -> Option<&Arc<dyn SecondTier>> {
        self.0.extras.tier.as_ref()
    }

    pub(crate) fn tracer(&self) -> Option<&dyn RequestTracer> {
        self.0.extras.tracer.as_deref()
    }

    pub(crate) fn policy_check(&self) -> Option<&Arc<dyn PolicyCheck>> {
        self.0.extras.policy_check.as_ref()
    }

    /// Records a request whose response contains this complete media, if the service has a recorder. The number of waiters stays unknown:
    /// each coalesced request is recorded on its own.
    pub(crate) fn record(&self, cache: &MediaCache, url: &str, media: &Media) {
        if let Some(recorder) = &self.0.extras.recorder {
            recorder.record(&cache.key(url), recorded(media, media.body.len()));
        }
    }

    /// Like [`record`](Self::record), for media that was just returned. If its body is still arriving, the request is recorded once it is
    /// complete, and the time until then is added to the cost.
    pub(crate) fn record_media(&self, cache: &MediaCache, url: &str, media: &Media) {
        if self.0.extras.recorder.is_none() {
            return;
        }
        let Some(completion) = media.body.completion() else { return self.record(cache, url, media) };
        let (service, key, request) = (self.clone(), cache.key(url).into_owned(), recorded(media, 0));
        let began = Instant::now();
        tokio::spawn(async move {
            if let (Ok(media_bytes), Some(recorder)) = (completion.wait().await, &service.0.extras.recorder) {
                let rest = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
                let cost = request.cost.saturating_add(rest);
                recorder.record(&key, RecordedRequest { media_bytes, cost, ..request });
            }
        });
    }
}

/// What is known about the fetch of media.
fn recorded(media: &Media, media_bytes: u64) -> RecordedRequest {
    RecordedRequest { media_bytes, cost: media.cost(), waiters: 0, kind: Some(MediaKind::of(media.mimetype())) }
}
