//! Replaces the policy of the owner.

use bytes::Bytes;
use media_cache::policy::RememberedPolicy;
use media_cache::{MediaCache, PolicyChoice, PolicySpec, PolicyStatus, SwapError};

use crate::messages::Answer;

/// Replaces the policy: with `component`, if it is given. The error is a message for people.
pub(crate) async fn swap_policy(
    cache: &MediaCache,
    spec: PolicySpec,
    component: Option<Bytes>,
    remembered: Option<&RememberedPolicy>,
) -> Result<PolicyStatus, String> {
    let engine = cache.engine();
    let choice = match &component {
        Some(bytes) => {
            let component = engine.compile_upload(bytes.clone()).await.map_err(|error| error.to_string())?;
            PolicyChoice { component, options: spec.options }
        }
        None => {
            let policies = engine.policies().clone();
            let choose = tokio::task::spawn_blocking(move || spec.choose(&policies));
            choose.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?
        }
    };
    let status = cache.swap_policy(choice).await.map_err(|error: SwapError| error.to_string())?;
    remember(cache, remembered, component).await;
    Ok(status)
}

/// Restores the previous policy. The error is a message for people.
pub(crate) async fn rollback_policy(cache: &MediaCache, remembered: Option<&RememberedPolicy>) -> Result<PolicyStatus, String> {
    let status = cache.rollback_policy().await.map_err(|error| error.to_string())?;
    remember(cache, remembered, None).await;
    Ok(status)
}

/// Saves the selected policy for the next start. `component` contains its bytes if it was not in a file.
async fn remember(cache: &MediaCache, remembered: Option<&RememberedPolicy>, component: Option<Bytes>) {
    let Some(remembered) = remembered.cloned() else { return };
    let cache = cache.clone();
    // It logs its own errors.
    let _ = tokio::task::spawn_blocking(move || cache.remember_policy(&remembered, component.as_deref())).await;
}

/// The answer to a call that replaces the policy.
pub(crate) fn policy_answer(result: Result<PolicyStatus, String>) -> Answer {
    match result {
        Ok(status) => Answer::Policy(status.into()),
        Err(why) => Answer::PolicyKept(why),
    }
}
