//! `/media` and the other paths of media: gets, stores and deletes the media of a URL.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use media_cache::{FetchedMedia, Media};
use media_cache_http_downloader::{SNIFFED_BYTES, clean_filename, filename_for, match_extension, media_type};
use media_cache_requests::MediaTarget;
use serde_json::{Value, json};
use url::Url;

use crate::caching;
use crate::key_digest;
use crate::media_query::{self, PutQuery};
use crate::media_response::respond;
use crate::problem::Problem;
use crate::service::Service;
use crate::uploads::{check_unmodified, not_kept};

/// The media type of a form. `curl --data` sends it by default, so it says nothing about the body.
const FORM: &str = "application/x-www-form-urlencoded";

/// `GET` and `HEAD`: responds with the stored media. If nothing is stored, downloads it first, unless the client sent `only-if-cached`
/// (RFC 9111, section 5.2.1.7). A body that is still arriving is passed on as it arrives.
pub(crate) async fn get(
    State(service): State<Service>,
    method: Method,
    version: Version,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let MediaTarget { url, digest, .. } = MediaTarget::parse(uri.path(), uri.query().unwrap_or_default())?;
    let cache = service.cache().await?;
    key_digest::check(&cache, &url, digest)?;
    let media = match caching::only_if_cached(&headers) {
        true => cache.get(&url).await?.ok_or_else(not_stored)?,
        false => cache.get_or_download(&url).await?,
    };
    service.record_media(&cache, &url, &media);
    respond(&method, version, &headers, media).await
}

fn not_stored() -> Problem {
    let why = "nothing is stored for this URL, and the request has Cache-Control: only-if-cached";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "not-stored", why)
}

/// `PUT`: stores the body.
pub(crate) async fn put(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let PutQuery { url, filename, cache_control, validators } = PutQuery::read(&uri)?;
    check_unmodified(&headers)?;
    let parsed = Url::parse(&url)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid-url", format!("the URL is not valid: {error}")))?;
    let cache = service.cache().await?;
    let body = service.uploads().receive(cache.spool(), body, &headers, service.max_body_bytes()).await?;
    if body.is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "empty-body", "the body is empty"));
    }
    let head = body.head(SNIFFED_BYTES).map_err(not_kept)?;
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mimetype = media_type(declared.filter(|declared| *declared != FORM), &head);
    let given = filename.as_deref().and_then(clean_filename).map(|name| match_extension(&name, &mimetype));
    let filename = given.unwrap_or_else(|| filename_for(None, &parsed, &mimetype));
    let outcome = cache.put_media(&url, FetchedMedia { body, mimetype, filename, cache_control, validators }).await?;
    if let Some(why) = outcome.not_stored {
        return Err(why.into());
    }
    let status = if outcome.known { StatusCode::OK } else { StatusCode::CREATED };
    let stored = stored_document(&cache.key(&url), outcome.known, &outcome.media);
    Ok((status, Json(stored)).into_response())
}

/// The outcome of storing media as a JSON object, as in `PUT /media`. `key` is the cache key.
#[must_use]
pub fn stored_document(key: &str, is_known: bool, media: &Media) -> Value {
    json!({
        "url": key,
        "known": is_known,
        "mimetype": media.mimetype(),
        "filename": media.filename(),
        "size": media.body.len(),
    })
}

/// `DELETE`: removes the entry.
pub(crate) async fn delete(State(service): State<Service>, uri: Uri) -> Result<StatusCode, Problem> {
    let url = media_query::url(&uri)?;
    match service.cache().await?.remove(&url).await.map_err(Problem::not_deleted)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(StatusCode::NOT_FOUND, "not-stored", "nothing is stored for this URL")),
    }
}
