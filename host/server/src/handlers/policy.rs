//! `/policy` and `/policies`: shows the eviction policy, lists the built-in ones, and replaces the policy while the service is running.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use media_cache::policy::{Description, PolicyChoice, PolicyInstance, PolicyLimits, PolicyStatus, SwapError};
use media_cache::{ComponentError, Engine, MediaCache, embedded};
use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;

use crate::dashboard::policy_history::Cause;
use crate::problem::Problem;
use crate::service::Service;
use crate::timestamp::seconds;
use crate::uploads::{check_unmodified, read_all};
use media_cache_requests::query;

/// The maximum size of a component, in bytes. A component that contains an interpreter takes tens of megabytes.
pub const MAX_POLICY_BYTES: u64 = 64 << 20;

/// `GET /policy`: the state of the policy.
pub(crate) async fn show(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    Ok(Json(policy_document(&service.cache().await?.policy())).into_response())
}

/// `GET /policies`: the built-in policies.
pub(crate) async fn list(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    let engine = service.cache().await?.engine().clone();
    Ok(Json(run_blocking(move || policies_document(&engine)).await?).into_response())
}

/// `PUT /policy`: replaces the policy with a built-in one, by `name`, or with the component in the body. All other parameters are
/// its options.
pub(crate) async fn put(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let (name, options) = name_and_options(&uri)?;
    check_unmodified(&headers)?;
    let cache = service.cache().await?;
    let body = service.uploads().receive(cache.spool(), body, &headers, MAX_POLICY_BYTES).await?;
    let engine = cache.engine().clone();
    // The lock also covers compilation, which uses one or two cores and stops if the client disconnects.
    let lock = service.lock_swap()?;
    let (component, upload) = match name {
        Some(_) if !body.is_empty() => {
            return Err(Problem::bad_request(
                "the request has both a name and a body; send either the name of a built-in policy or a component",
            ));
        }
        Some(name) => (run_blocking(move || Ok(engine.built_in_policy(&name)?)).await?, None),
        None if body.is_empty() => {
            let hint = "use ?name= with the name of a built-in policy, or send a component as the body";
            return Err(Problem::bad_request(format!("the request contains no policy; {hint}")));
        }
        None => {
            let bytes = read_all(&body).await?;
            let upload = bytes.clone();
            (engine.compile_upload(bytes).await?, Some(upload))
        }
    };
    swap(service, cache, Some(PolicyChoice { component, options }), upload, lock).await
}

/// `POST /policy/rollback`: restores the previous policy.
pub(crate) async fn roll_back(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    query::none(&uri)?;
    let cache = service.cache().await?;
    let lock = service.lock_swap()?;
    swap(service, cache, None, None, lock).await
}

/// Replaces the active policy with `choice`, or with the previous one if it is `None`. The response is the new status.
async fn swap(
    service: Service,
    cache: MediaCache,
    choice: Option<PolicyChoice>,
    upload: Option<Bytes>,
    lock: OwnedMutexGuard<()>,
) -> Result<Response, Problem> {
    Ok(Json(policy_document(&complete_swap(service, cache, choice, upload, lock).await?)).into_response())
}

/// Replaces the active policy with `choice`, or with the previous one if it is `None`, and saves the selection for the next start. The swap
/// is completed even if the caller disconnects.
async fn complete_swap(
    service: Service,
    cache: MediaCache,
    choice: Option<PolicyChoice>,
    upload: Option<Bytes>,
    lock: OwnedMutexGuard<()>,
) -> Result<PolicyStatus, SwapError> {
    let swap = async move {
        service.dashboard().observe_policy(&cache.policy(), None);
        let cause = if choice.is_some() { Cause::Swap } else { Cause::Rollback };
        let swapped = match choice {
            Some(choice) => cache.swap_policy(choice).await,
            None => cache.rollback_policy().await,
        }?;
        service.dashboard().observe_policy(&swapped, Some(cause));
        if let Some(remembered) = service.remembered().cloned() {
            // It logs its own errors.
            let _ = tokio::task::spawn_blocking(move || cache.remember_policy(&remembered, upload.as_deref())).await;
        }
        drop(lock);
        Ok(swapped)
    };
    tokio::spawn(swap).await.unwrap_or(Err(SwapError::Interrupted))
}

impl Service {
    /// Replaces the active policy with a compiled one, and saves the selection for the next start, as `PUT /policy` does.
    ///
    /// # Errors
    /// The policy cannot take over, or another swap is in progress.
    pub async fn swap_policy(&self, cache: &MediaCache, choice: PolicyChoice) -> Result<PolicyStatus, SwapError> {
        let lock = self.lock_swap()?;
        complete_swap(self.clone(), cache.clone(), Some(choice), None, lock).await
    }
}

/// Names and values of options.
pub(crate) type Options = Vec<(String, String)>;

/// The parameter `name`, and the others as options.
pub(crate) fn name_and_options(uri: &Uri) -> Result<(Option<String>, Options), Problem> {
    let (mut name, mut options) = (None, Options::new());
    for parameter in query::parameters(uri.query().unwrap_or_default()) {
        let (key, value) = parameter?;
        if key != "name" {
            options.push((key.into(), value.into()));
        } else if name.replace(value.into_owned()).is_some() {
            return Err(Problem::bad_request("the parameter `name` occurs twice"));
        }
    }
    Ok((name, options))
}

/// Runs blocking work, such as compilation, outside the threads that serve requests.
async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let gone = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "the service is shutting down");
    tokio::task::spawn_blocking(work).await.map_err(gone)?
}

/// The status of a policy as a JSON object, as in `/policy`.
#[must_use]
pub fn policy_document(status: &PolicyStatus) -> Value {
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
        "rejected_ids": status.rejected_ids,
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
            "seeded": swap.seeded,
            "entries": swap.entries,
            "since": seconds(swap.since),
        });
    }
    document
}

/// The built-in policies as a JSON object, as in `/policies`. Each is compiled, which takes a moment.
///
/// # Errors
/// A policy cannot be compiled.
pub fn policies_document<E: From<ComponentError> + From<SwapError>>(engine: &Engine) -> Result<Value, E> {
    let describe = |name: &&str| {
        let component = engine.built_in_policy(name)?;
        let policy = PolicyInstance::new(engine.policies(), &component, PolicyLimits::default()).map_err(SwapError::from)?;
        Ok(described(policy.description(), &component.digest()))
    };
    let policies = embedded::policy_names().iter().map(describe).collect::<Result<Vec<_>, E>>()?;
    Ok(json!({ "policies": policies }))
}

fn described(description: &Description, digest: &str) -> Value {
    let Description { name, version, doc, options } = description;
    let options = options.iter().map(|o| json!({ "name": o.name, "default": o.default, "doc": o.doc }));
    json!({ "name": name, "version": version, "doc": doc, "digest": digest, "options": options.collect::<Vec<_>>() })
}
