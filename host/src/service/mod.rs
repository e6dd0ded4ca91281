//! The cache as an HTTP service.

mod access;
mod browser;
mod clients;
mod disposition;
mod entries;
mod media;
mod observe;
mod parameters;
mod policy;
mod problem;
mod range;
mod request_id;
mod respond;
mod safeguards;
mod secret;
mod signature;
mod stats;
mod tokens;
mod trace;
mod via;

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, SemaphorePermit, watch};

use crate::cache::MediaCache;
use crate::logs::RequestLog;
use crate::metrics::{Format, Metrics};
use crate::policy::{RememberedPolicy, SwapError};
pub use access::{Access, Listener};
pub use clients::{ClientLimits, ConnectionStats, Connections, Ending, serve_connections};
pub use entries::describe as entry_document;
pub use policy::MAX_POLICY_BYTES;
use problem::Problem;
pub use secret::WeakSecret;
pub use signature::SigningKeys;
pub use stats::stats_document;
pub use tokens::AdminTokens;
pub use trace::TraceRecorder;
pub use via::{Pseudonym, PseudonymError};

/// All paths that there are.
static PATHS: LazyLock<Vec<&str>> = LazyLock::new(|| routes().iter().map(|(path, _)| *path).collect());

/// A service whose cache may still be loading. Cloning it is cheap, and clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    cache: watch::Receiver<Option<MediaCache>>,
    max_body_bytes: u64,
    remembered: Option<RememberedPolicy>,
    recorder: Option<TraceRecorder>,
    pseudonym: Option<Pseudonym>,
    metrics: Metrics,
    request_log: RequestLog,
    /// Held by who replaces the policy.
    swapping: Arc<Mutex<()>>,
    /// A permit for each body that is being received.
    uploads: Semaphore,
}

/// What a service may have besides a cache.
#[derive(Default)]
pub struct Extras {
    /// Where the choice of a policy is kept for the next start.
    pub remembered: Option<RememberedPolicy>,
    /// Where requests are written down.
    pub recorder: Option<TraceRecorder>,
    /// What the service is called in the `Via` of what it asks for: [`HttpOptions::via`](crate::download::HttpOptions::via). Requests
    /// that carry it are refused.
    pub pseudonym: Option<Pseudonym>,
    /// What is measured: the same that measures the downloads and transcoding of the cache.
    pub metrics: Metrics,
    /// What is logged of requests.
    pub request_log: RequestLog,
}

impl Service {
    /// A service for the cache that `cache` will hold. Until it does, requests for media wait and `/readyz` says no. A body that is
    /// put may have `max_body_bytes` bytes.
    #[must_use]
    pub fn new(cache: watch::Receiver<Option<MediaCache>>, max_body_bytes: u64, extras: Extras) -> Self {
        let Extras { remembered, recorder, pseudonym, metrics, request_log } = extras;
        Self(Arc::new(Shared {
            cache,
            max_body_bytes,
            remembered,
            recorder,
            pseudonym,
            metrics,
            request_log,
            swapping: Arc::default(),
            uploads: Semaphore::new(media::MAX_UPLOADS),
        }))
    }

    /// A service for a cache that is loaded.
    #[must_use]
    pub fn of(cache: MediaCache, max_body_bytes: u64) -> Self {
        Self::new(watch::channel(Some(cache)).1, max_body_bytes, Extras::default())
    }

    /// The routes, for those who may ask what `access` says. A service with several listeners has a router for each.
    pub fn router(self, access: Access) -> Router {
        let routes = routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
        let routes = routes
            .route_layer(from_fn_with_state(Arc::new(access), access::check))
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method);
        let routes = match self.0.pseudonym.clone() {
            Some(own) => routes.layer(from_fn_with_state(own, via::check)),
            None => routes,
        };
        let observed = from_fn_with_state(self.clone(), observe::observe);
        routes.layer(map_response(safeguards::add)).layer(observed).with_state(self)
    }

    fn max_body_bytes(&self) -> u64 {
        self.0.max_body_bytes
    }

    fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    fn request_log(&self) -> RequestLog {
        self.0.request_log
    }

    fn remembered(&self) -> Option<&RememberedPolicy> {
        self.0.remembered.as_ref()
    }

    /// The right to send a body, for so many at once.
    fn turn_to_send(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let busy = |_| {
            let why = "too many bodies are being received";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-uploads", why).with_retry_after(1)
        };
        self.0.uploads.try_acquire().map_err(busy)
    }

    /// The right to replace the policy, for one at a time.
    fn turn_to_swap(&self) -> Result<OwnedMutexGuard<()>, SwapError> {
        self.0.swapping.clone().try_lock_owned().map_err(|_| SwapError::Busy)
    }

    /// Writes down that an entry was asked for, by its key, where somebody wants to know.
    fn record(&self, key: &str, media_bytes: u64) {
        if let Some(recorder) = &self.0.recorder {
            recorder.record(key, media_bytes);
        }
    }

    /// The cache, once it is loaded.
    async fn cache(&self) -> Result<MediaCache, Problem> {
        let gone = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-loaded", "the cache could not be loaded");
        if let Some(cache) = self.0.cache.borrow().as_ref() {
            return Ok(cache.clone());
        }
        let mut loading = self.0.cache.clone();
        let loaded = loading.wait_for(Option::is_some).await.map_err(|_| gone())?;
        loaded.clone().ok_or_else(gone)
    }
}

/// What there is to ask. [`access`] says what each needs, and that is administration where it says nothing.
fn routes() -> Vec<(&'static str, MethodRouter<Service>)> {
    vec![
        ("/media", get(media::get).put(media::put).delete(media::delete)),
        ("/entries", get(entries::list)),
        ("/policies", get(policy::list)),
        ("/policy", get(policy::show).put(policy::put)),
        ("/policy/rollback", post(policy::roll_back)),
        ("/stats", get(stats)),
        ("/metrics", get(metrics)),
        ("/healthz", get(|| async { Json(json!({ "status": "alive" })) })),
        ("/readyz", get(ready)),
    ]
}

async fn stats(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    parameters::none(&uri)?;
    let cache = service.cache().await?;
    let status = cache.status().await?;
    Ok(Json(stats_document(&status, &cache.load_report())).into_response())
}

async fn metrics(State(service): State<Service>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    parameters::none(&uri)?;
    // A scrape does not wait for a cache that is still loading.
    let cache = service.0.cache.borrow().clone();
    service.metrics().ask(cache.as_ref()).await;
    let format = Format::accepted(headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
    Ok(([(header::CONTENT_TYPE, format.content_type())], service.metrics().text(format)).into_response())
}

async fn ready(State(service): State<Service>) -> Result<Response, Problem> {
    match &*service.0.cache.borrow() {
        Some(cache) if cache.is_closed() => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "the cache is closed"))
        }
        Some(_) => Ok(Json(json!({ "status": "ready" })).into_response()),
        None => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "loading", "the cache is still loading")),
    }
}

async fn no_such_path(uri: Uri) -> Problem {
    let why = format!("there is nothing at {}; there is: {}", uri.path(), PATHS.join(", "));
    Problem::new(StatusCode::NOT_FOUND, "no-such-path", why)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", format!("{} does not know {method}", uri.path()))
}
