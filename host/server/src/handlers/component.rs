//! `/component`: shows the cache component, and replaces it while the service is running.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use media_cache::{CacheComponent, ComponentDescription, ComponentError, ComponentStatus, ComponentSwapError, MediaCache};
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use crate::problem::Problem;
use crate::service::Service;
use crate::timestamp::seconds;
use crate::uploads::{check_unmodified, read_all};
use media_cache_requests::query;

/// The maximum size of a component, in bytes.
pub const MAX_COMPONENT_BYTES: u64 = 64 << 20;

/// The name of the component that is built into the service.
pub const BUILT_IN: &str = "built-in";

/// `GET /component`: the state of the component.
pub(crate) async fn show(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    Ok(document(&service.cache().await?.component()))
}

/// `PUT /component`: replaces the component with the one in the body, or with the built-in one if `name` is [`BUILT_IN`].
pub(crate) async fn put(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let is_built_in = is_built_in(&uri)?;
    check_unmodified(&headers)?;
    let cache = service.cache().await?;
    let body = service.uploads().receive(cache.spool(), body, &headers, MAX_COMPONENT_BYTES).await?;
    let engine = cache.engine().clone();
    // The lock also covers compilation, which briefly uses all cores.
    let lock = service.lock_swap()?;
    let (component, upload) = match (is_built_in, body.is_empty()) {
        (true, false) => return Err(Problem::bad_request("the request has both a name and a body; send only one of them")),
        (true, true) => (engine.built_in_cache().map_err(unfit)?, None),
        (false, true) => {
            let hint = format!("send a component as the body, or use ?name={BUILT_IN}");
            return Err(Problem::bad_request(format!("the request contains no cache component; {hint}")));
        }
        (false, false) => {
            let bytes = read_all(&body).await?;
            (engine.compile_cache_upload(bytes.clone()).await.map_err(unfit)?, Some(bytes))
        }
    };
    swap(service, cache, Some(component), upload, lock).await
}

/// `POST /component/rollback`: restores the previous component.
pub(crate) async fn roll_back(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    let cache = service.cache().await?;
    let lock = service.lock_swap()?;
    swap(service, cache, None, None, lock).await
}

/// Replaces the active component with `component`, or with the previous one if it is `None`, and saves the selection for the next start.
/// The swap is completed even if the client disconnects.
async fn swap(
    service: Service,
    cache: MediaCache,
    component: Option<CacheComponent>,
    upload: Option<Bytes>,
    lock: OwnedMutexGuard<()>,
) -> Result<Response, Problem> {
    let swap = async move {
        let component = component.or_else(|| cache.previous_component()).ok_or(ComponentSwapError::NothingBefore)?;
        let swapped = match service.remembered_component().cloned() {
            Some(memory) => cache.swap_and_remember_component(component, memory, upload).await,
            None => cache.swap_component(component).await,
        };
        drop(lock);
        swapped
    };
    let swapped = tokio::spawn(swap).await.unwrap_or(Err(ComponentSwapError::Interrupted));
    Ok(document(&swapped?))
}

/// Whether the query names the built-in component.
fn is_built_in(uri: &Uri) -> Result<bool, Problem> {
    let mut is_built_in = false;
    for parameter in query::parameters(uri.query().unwrap_or_default()) {
        match parameter? {
            (name, value) if name == "name" && value == BUILT_IN && !is_built_in => is_built_in = true,
            (name, value) => return Err(Problem::bad_request(format!("unexpected parameter {name}={value}"))),
        }
    }
    Ok(is_built_in)
}

fn unfit(error: ComponentError) -> Problem {
    let (status, code) = match error {
        ComponentError::TooCostly { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "costly-component"),
        ComponentError::Compiler { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "compiler-failed"),
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "unfit-component"),
    };
    Problem::new(status, code, error.to_string())
}

fn document(status: &ComponentStatus) -> Response {
    let mut document = described(&status.current);
    document["since"] = json!(seconds(status.since));
    document["swaps"] = json!(status.swaps);
    document["failed_swaps"] = json!(status.failed_swaps);
    document["previous"] = status.previous.as_ref().map_or(Value::Null, described);
    document["swap"] = status.swap.as_ref().map_or(Value::Null, described);
    document["fallback_from"] = status.fallback_from.as_ref().map_or(Value::Null, described);
    Json(document).into_response()
}

fn described(component: &ComponentDescription) -> Value {
    let ComponentDescription { name, version, origin, digest } = component;
    json!({ "name": name, "version": version, "origin": origin.to_string(), "digest": digest })
}
