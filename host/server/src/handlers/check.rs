//! `/policy/check`: checks an uploaded policy without using it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use media_cache::Engine;
use media_cache::policy::{PolicyChoice, PolicyInstance, PolicyLimits};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::handlers::policy::{MAX_POLICY_BYTES, name_and_options};
use crate::policy_check::{CheckOutcome, CheckResult, PolicyCheck};
use crate::problem::Problem;
use crate::service::Service;
use crate::uploads::{check_unmodified, read_all};

/// `POST /policy/check`: compiles the component in the body like `PUT /policy`, and runs the checks on a thread of their own, one component
/// at a time. The parameters are its options. The checks are abandoned if the client disconnects.
pub(crate) async fn check(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let (name, options) = name_and_options(&uri)?;
    if name.is_some() {
        return Err(Problem::bad_request("built-in policies need no check; send a component as the body"));
    }
    check_unmodified(&headers)?;
    let cache = service.cache().await?;
    let checks = service.policy_check().cloned().ok_or_else(|| {
        let why = "this service has no conformance suite; use `media-cache policy test`";
        Problem::new(StatusCode::NOT_IMPLEMENTED, "no-checks", why)
    })?;
    let body = service.uploads().receive(cache.spool(), body, &headers, MAX_POLICY_BYTES).await?;
    if body.is_empty() {
        return Err(Problem::bad_request("the request contains no policy; send a component as the body"));
    }
    let lock = service.lock_check().ok_or_else(|| {
        let why = "another policy is being checked; try again when that is done";
        Problem::new(StatusCode::CONFLICT, "check-under-way", why)
    })?;
    let engine = cache.engine().clone();
    let choice = PolicyChoice { component: engine.compile_upload(read_all(&body).await?).await?, options };
    let begun = Instant::now();
    let cancelled = Cancelled::default();
    let is_cancelled = cancelled.0.clone();
    let (answer, answered) = oneshot::channel();
    let work = move || {
        lower_priority();
        let verdict = verdict(&*checks, &engine, &choice, is_cancelled);
        drop(lock);
        // The client may have disconnected.
        let _ = answer.send(verdict);
    };
    std::thread::Builder::new().name("policy-check".into()).spawn(work).map_err(|error| {
        let why = format!("cannot start a thread for the checks: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", why).with_retry_after(5)
    })?;
    let mut document = answered.await.map_err(|_| {
        let why = "the checks ended without a verdict";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "checks-failed", why)
    })?;
    drop(cancelled);
    document["seconds"] = begun.elapsed().as_secs_f64().into();
    Ok(Json(document).into_response())
}

/// Runs the checks. The name and the version are null if the policy does not start; a check then says why.
fn verdict(checks: &dyn PolicyCheck, engine: &Engine, choice: &PolicyChoice, is_cancelled: Arc<AtomicBool>) -> Value {
    let instance = PolicyInstance::new(engine.policies(), &choice.component, PolicyLimits::default());
    let description = instance.as_ref().ok().map(PolicyInstance::description);
    let results = checks.check(engine.policies(), choice, is_cancelled);
    json!({
        "name": description.map(|description| &description.name),
        "version": description.map(|description| &description.version),
        "digest": choice.component.digest(),
        "passed": !results.is_empty() && results.iter().all(|result| result.outcome == CheckOutcome::Passed),
        "checks": results.iter().map(check_document).collect::<Vec<_>>(),
    })
}

fn check_document(result: &CheckResult) -> Value {
    json!({ "check": result.check, "outcome": result.outcome.name(), "detail": result.detail })
}

/// Gives the requests that are being served priority over this thread. On other systems than Linux, this would affect the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        const NICENESS: i32 = 10;
        // This is optional, so an error is ignored.
        let _ = rustix::process::nice(NICENESS);
    }
}

/// Abandons the checks when it is dropped.
#[derive(Default)]
struct Cancelled(Arc<AtomicBool>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
