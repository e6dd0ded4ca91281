//! `/refresh`: fetches the media of a URL again.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use media_cache::{Media, RefreshOutcome};
use serde_json::{Value, json};

use crate::media_query;
use crate::problem::Problem;
use crate::service::Service;

/// `POST`: replaces the stored media if it has changed.
pub(crate) async fn refresh(State(service): State<Service>, uri: Uri) -> Result<Response, Problem> {
    let url = media_query::url(&uri)?;
    let cache = service.cache().await?;
    let refreshed = cache.refresh(&url).await.map_err(|error| kept(error.into()))?;
    let RefreshOutcome { media, modified, not_stored } = refreshed;
    if let Some(why) = not_stored {
        return Err(kept(why.into()));
    }
    Ok(Json(refreshed_document(&cache.key(&url), modified, &media)).into_response())
}

/// The outcome of a refresh as a JSON object, as in `/refresh`. `key` is the cache key.
#[must_use]
pub fn refreshed_document(key: &str, is_modified: bool, media: &Media) -> Value {
    json!({
        "url": key,
        "changed": is_modified,
        "mimetype": media.mimetype(),
        "filename": media.filename(),
        "size": media.body.len(),
    })
}

/// The problem for a failed refresh.
fn kept(problem: Problem) -> Problem {
    problem.and("the stored media, if any, is kept")
}
