//! `/media`: getting, putting and deleting what is behind a URL.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;
use url::Url;

use super::clients::came_too_slowly;
use super::problem::Problem;
use super::respond::respond;
use super::signature::Signature;
use super::{Service, parameters};
use crate::blob::Blob;
use crate::download::{clean_filename, filename_for, media_type};
use crate::spool::Spool;

/// How many first bytes a media type is guessed from.
const SNIFFED: usize = 8192;

/// Bodies of more bytes than this wait in a file rather than in memory.
const SPOOL_ABOVE: u64 = 4 << 20;

/// Bodies that are received at once. Each of them may have as much in memory as [`SPOOL_ABOVE`], so this bounds what all take up.
pub(super) const MAX_UPLOADS: usize = 64;

/// What stands behind the question mark.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) url: String,
    filename: Option<String>,
    pub(super) signature: Option<Signature>,
}

/// The type of a form, which is no media.
const FORM: &str = "application/x-www-form-urlencoded";

/// `GET` and `HEAD`: what is stored, downloaded first if nothing is.
pub(super) async fn get(State(service): State<Service>, method: Method, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let Parameters { url, .. } = Parameters::to_get(&uri)?;
    let cache = service.cache().await?;
    let media = cache.get_or_download(&url).await?;
    service.record(&cache.key(&url), media.body.len());
    respond(&method, &headers, media).await
}

/// `PUT`: stores the body.
pub(super) async fn put(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let Parameters { url, filename, .. } = Parameters::to_put(&uri)?;
    check_whole(&headers)?;
    let parsed = Url::parse(&url)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid-url", format!("the URL cannot be one: {error}")))?;
    let cache = service.cache().await?;
    let body = receive(&service, body, &headers, service.max_body_bytes()).await?;
    if body.is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "empty-body", "the body is empty"));
    }
    let head = body.head(SNIFFED).map_err(not_kept)?;
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // What curl says of any `--data` is not meant.
    let mimetype = media_type(declared.filter(|declared| *declared != FORM), &head);
    let filename = filename.as_deref().and_then(clean_filename).unwrap_or_else(|| filename_for(None, &parsed, &mimetype));
    let outcome = cache.put(&url, body, &mimetype, &filename).await?;
    if let Some(why) = outcome.not_stored {
        return Err(why.into());
    }
    let status = if outcome.known { StatusCode::OK } else { StatusCode::CREATED };
    let stored = json!({
        "url": cache.key(&url),
        "known": outcome.known,
        "mimetype": &*outcome.media.mimetype,
        "filename": &*outcome.media.filename,
        "size": outcome.media.body.len(),
    });
    Ok((status, Json(stored)).into_response())
}

/// `DELETE`: removes what is stored.
pub(super) async fn delete(State(service): State<Service>, uri: Uri) -> Result<StatusCode, Problem> {
    let Parameters { url, .. } = Parameters::to_delete(&uri)?;
    match service.cache().await?.remove(&url).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(StatusCode::NOT_FOUND, "not-stored", "nothing is stored for this URL")),
    }
}

impl Parameters {
    /// For a request that stores.
    fn to_put(uri: &Uri) -> Result<Self, Problem> {
        let [url, filename] = parameters::read(uri, ["url", "filename"], HINT)?;
        Ok(Self { url: named(url)?, filename, signature: None })
    }

    /// For a request that gets. It may be signed, whether or not it has to be: clients can begin to sign before a service demands it.
    pub(super) fn to_get(uri: &Uri) -> Result<Self, Problem> {
        let [url, signature, expires] = parameters::read(uri, ["url", "signature", "expires"], HINT)?;
        let signature = Signature::read(signature.as_deref(), expires.as_deref())?;
        Ok(Self { url: named(url)?, filename: None, signature })
    }

    /// For a request that removes.
    fn to_delete(uri: &Uri) -> Result<Self, Problem> {
        let [url] = parameters::read(uri, ["url"], HINT)?;
        Ok(Self { url: named(url)?, filename: None, signature: None })
    }
}

/// What to do about a URL that fell to pieces. To ignore a piece of it would be to fetch another URL than was meant.
const HINT: &str = "percent-encode the URL, as `curl -G --data-urlencode url=…` does";

fn named(url: Option<String>) -> Result<String, Problem> {
    let url = url.filter(|url| !url.is_empty());
    url.ok_or_else(|| Problem::bad_request(format!("the parameter `url` is missing; {HINT}")))
}

/// Refuses what would be stored as something that it is not.
pub(super) fn check_whole(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_RANGE) {
        let why = "a part of a body cannot be stored; send all of it, without Content-Range";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "partial-body", why));
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let why = "the body is encoded; send it without Content-Encoding";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded-body", why))
        }
        _ => Ok(()),
    }
}

/// Receives the body of a request, within the limit.
pub(super) async fn receive(service: &Service, body: Body, headers: &HeaderMap, limit: u64) -> Result<Blob, Problem> {
    let too_large = || {
        let why = format!("the body is larger than the limit of {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", why)
    };
    let broken_off = |error: axum::Error| match came_too_slowly(&error) {
        Some(why) => Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", why),
        None => Problem::new(StatusCode::BAD_REQUEST, "short-body", format!("the body broke off: {error}")),
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let _turn = service.turn_to_send()?;
    let mut spool = Spool::new(SPOOL_ABOVE, std::env::temp_dir());
    let mut pieces = body.into_data_stream();
    let mut received = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(broken_off)?;
        received += piece.len() as u64;
        if received > limit {
            return Err(too_large());
        }
        spool.append(piece).await.map_err(not_kept)?;
    }
    spool.finish().await.map_err(not_kept)
}

fn not_kept(error: std::io::Error) -> Problem {
    let why = format!("the body cannot be kept in a temporary file: {error}");
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk-failed", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Result<(String, Option<String>), String> {
        let uri: Uri = format!("/media?{query}").parse().unwrap();
        Parameters::to_put(&uri).map(|p| (p.url, p.filename)).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn the_url_is_decoded_once() {
        let url = parameters("url=https%3A%2F%2Fx%2Fa%2520b%3Fc%3D1%26d%3D2&filename=%C3%A4.png");
        assert_eq!(url, Ok(("https://x/a%20b?c=1&d=2".into(), Some("ä.png".into()))));
        assert_eq!(parameters("url=https://x/a?b=c").unwrap().0, "https://x/a?b=c");
    }

    #[test]
    fn a_url_that_was_not_encoded_is_not_cut_off_in_silence() {
        assert!(parameters("url=https://x/a?b=1&c=2").unwrap_err().contains("no parameter `c` here; percent-encode"));
        assert!(parameters("url=a&url=b").unwrap_err().contains("twice"));
        for query in ["", "url=", "filename=a"] {
            assert!(parameters(query).unwrap_err().contains("`url` is missing"), "{query}");
        }
        for (query, get, put, delete) in [
            ("url=a", true, true, true),
            ("url=a&filename=b", false, true, false),
            ("url=a&signature=0000000000000000000000000000000000000000000000000000000000000000&expires=1", true, false, false),
            ("url=a&signature=b", false, false, false),
        ] {
            let uri: Uri = format!("/media?{query}").parse().unwrap();
            let read = [Parameters::to_get(&uri), Parameters::to_put(&uri), Parameters::to_delete(&uri)];
            assert_eq!(read.map(|parameters| parameters.is_ok()), [get, put, delete], "{query}");
        }
    }
}
