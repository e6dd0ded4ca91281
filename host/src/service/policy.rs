//! `/policy` and `/policies`: which eviction policy decides, which ones there are, and another in its place.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;

use super::media::{check_whole, receive};
use super::problem::Problem;
use super::{Service, parameters};
use crate::cache::MediaCache;
use crate::engine::{ComponentError, embedded};
use crate::policy::{Description, PolicyChoice, PolicyInstance, PolicyLimits, PolicyOrigin, PolicyStatus, SwapError};

/// The largest component that is taken, in bytes. One that brings an interpreter along has tens of megabytes.
pub const MAX_POLICY_BYTES: u64 = 64 << 20;

/// `GET /policy`: how the policy is.
pub(super) async fn show(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    parameters::none(&uri)?;
    Ok(document(&service.cache().await?.policy()))
}

/// `GET /policies`: those that come with the service.
pub(super) async fn list(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    parameters::none(&uri)?;
    let engine = service.cache().await?.engine().clone();
    // They are compiled when they are first needed, which takes a moment each.
    let described = run(move || {
        let describe = |name: &&str| {
            let component = engine.built_in_policy(name)?;
            let policy = PolicyInstance::new(&engine, &component, PolicyLimits::default()).map_err(SwapError::from)?;
            Ok(described(policy.description(), &component.digest()))
        };
        embedded::policy_names().iter().map(describe).collect::<Result<Vec<_>, Problem>>()
    });
    Ok(Json(json!({ "policies": described.await? })).into_response())
}

/// `PUT /policy`: puts a policy in place, by name or as the body. What else stands in the query are its options.
pub(super) async fn put(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let (name, options) = choice(&uri)?;
    check_whole(&headers)?;
    let body = receive(&service, body, &headers, MAX_POLICY_BYTES).await?;
    let cache = service.cache().await?;
    let engine = cache.engine().clone();
    // One at a time, compiling included: that takes a processor or two while it lasts.
    let turn = service.turn_to_swap()?;
    let (component, upload) = match name {
        Some(_) if !body.is_empty() => {
            return Err(Problem::bad_request("there is both a name and a body; a policy is either a built-in one or a component"));
        }
        Some(name) => (run(move || Ok(engine.built_in_policy(&name)?)).await?, None),
        None if body.is_empty() => {
            let hint = "say ?name= with the name of a built-in policy, or send a component as the body";
            return Err(Problem::bad_request(format!("there is no policy in the request; {hint}")));
        }
        None => {
            let bytes = body
                .bytes()
                .await
                .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "short-body", format!("the body broke off: {error}")))?;
            let upload = bytes.clone();
            (run(move || Ok(engine.compile_policy(PolicyOrigin::Upload, &bytes)?)).await?, Some(upload))
        }
    };
    swap(service, cache, Some(PolicyChoice { component, options }), upload, turn).await
}

/// `POST /policy/rollback`: puts the policy before this one back in place.
pub(super) async fn roll_back(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    parameters::none(&uri)?;
    let cache = service.cache().await?;
    let turn = service.turn_to_swap()?;
    swap(service, cache, None, None, turn).await
}

/// Puts a policy in place, or the one before back, and writes that down for the next start. What was begun is ended, whether or not the
/// client waits for it.
async fn swap(
    service: Service,
    cache: MediaCache,
    choice: Option<PolicyChoice>,
    upload: Option<Bytes>,
    turn: OwnedMutexGuard<()>,
) -> Result<Response, Problem> {
    let swap = async move {
        let swapped = match choice {
            Some(choice) => cache.swap_policy(choice).await,
            None => cache.rollback_policy().await,
        }?;
        let remember = move || remember(&service, &cache, upload.as_deref());
        // It has said what went wrong, if anything did.
        let _ = tokio::task::spawn_blocking(remember).await;
        drop(turn);
        Ok(swapped)
    };
    let swapped = tokio::spawn(swap).await.unwrap_or(Err(SwapError::Interrupted));
    Ok(document(&swapped?))
}

fn remember(service: &Service, cache: &MediaCache, upload: Option<&[u8]>) {
    let Some(memory) = service.remembered() else { return };
    let written = memory.remember(&cache.policy_choice(), upload, cache.previous_policy().as_ref());
    written.unwrap_or_else(|error| tracing::warn!("the choice of the policy cannot be kept for the next start: {error}"));
}

/// Name and value.
type Options = Vec<(String, String)>;

/// The parameter `name`, and the others.
fn choice(uri: &Uri) -> Result<(Option<String>, Options), Problem> {
    let (mut name, mut options) = (None, Options::new());
    for (key, value) in url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()) {
        if key != "name" {
            options.push((key.into_owned(), value.into_owned()));
        } else if name.replace(value.into_owned()).is_some() {
            return Err(Problem::bad_request("the parameter `name` is there twice"));
        }
    }
    Ok((name, options))
}

/// Compiles and the like, off the threads that serve.
async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let gone = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "the service is shutting down");
    tokio::task::spawn_blocking(work).await.map_err(gone)?
}

fn document(status: &PolicyStatus) -> Response {
    let mut document = json!({
        "name": status.name,
        "version": status.version,
        "doc": status.doc,
        "origin": status.origin.to_string(),
        "digest": status.digest,
        "options": status.options.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>(),
        "since": seconds(status.since),
        "calls": status.calls,
        "seconds": status.time.as_secs_f64(),
        "memory_bytes": status.memory_bytes,
        "rejected_answers": status.rejected_answers,
        "swaps": status.swaps,
        "fallbacks": status.fallbacks,
        "last_fault": null,
        "previous": status.previous.as_ref().map(ToString::to_string),
        "swap": null,
    });
    if let Some(fault) = &status.last_fault {
        document["last_fault"] = json!({ "policy": fault.policy, "why": fault.why, "at": seconds(fault.at) });
    }
    if let Some(swap) = &status.swap {
        document["swap"] = json!({
            "to": swap.to.to_string(),
            "told": swap.told,
            "entries": swap.entries,
            "since": seconds(swap.since),
        });
    }
    Json(document).into_response()
}

fn described(description: &Description, digest: &str) -> Value {
    let Description { name, version, doc, options } = description;
    let options = options.iter().map(|o| json!({ "name": o.name, "default": o.default, "doc": o.doc }));
    json!({ "name": name, "version": version, "doc": doc, "digest": digest, "options": options.collect::<Vec<_>>() })
}

/// Seconds since 1970, to the millisecond.
fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as f64 / 1000.0
}

impl From<ComponentError> for Problem {
    fn from(error: ComponentError) -> Self {
        let (status, code) = match error {
            ComponentError::UnknownPolicy(_) => (StatusCode::NOT_FOUND, "unknown-policy"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "unfit-policy"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<SwapError> for Problem {
    fn from(error: SwapError) -> Self {
        let (status, code) = match error {
            SwapError::Busy => (StatusCode::CONFLICT, "swap-under-way"),
            SwapError::NothingBefore => (StatusCode::CONFLICT, "no-previous-policy"),
            SwapError::Unfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unfit-policy"),
            SwapError::Fault(_) => (StatusCode::UNPROCESSABLE_ENTITY, "faulty-policy"),
            SwapError::CannotKeepUp => (StatusCode::UNPROCESSABLE_ENTITY, "slow-policy"),
            SwapError::Interrupted => (StatusCode::INTERNAL_SERVER_ERROR, "broke-down"),
            SwapError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
        };
        Self::new(status, code, error.to_string())
    }
}
