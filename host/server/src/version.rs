//! The stored version of media, and the answer to a request for it: all of it, a range, or that the client already has it (RFC 9110,
//! sections 13 and 14).

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use headers::{ETag, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfUnmodifiedSince, LastModified};
use media_cache::Media;
use media_cache_requests::Wanted;

use crate::problem::Problem;

/// The last second that an HTTP date can express, counted from 1970. Times come from sidecars, which may contain anything.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

/// The stored version of media, with which conditions are compared.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    tag: ETag,
    modified: SystemTime,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All of the media.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// The client already has it.
    NotModified,
    /// The client expects another version.
    OtherVersion,
    /// The range lies outside the media.
    NoSuchRange,
}

impl Version {
    /// The version of media.
    pub async fn of(media: &Media) -> Result<Self, Problem> {
        let broken = |why: String| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", why);
        let digest = media.body.digest().await.map_err(|error| broken(format!("the media cannot be read: {error}")))?;
        let tag = tag(&digest).parse().map_err(|_| broken("the media has no valid entity tag".into()))?;
        Ok(Self { tag, modified: media.stored_at().min(UNIX_EPOCH + LAST_DATE) })
    }

    /// The answer to a GET or HEAD for media of this length.
    pub fn answer(&self, is_head: bool, request: &HeaderMap, length: u64) -> Answer {
        match self.condition(request) {
            Some(StatusCode::NOT_MODIFIED) => return Answer::NotModified,
            Some(_) => return Answer::OtherVersion,
            None => {}
        }
        // `Range` is defined for GET only.
        let range = single(request, &header::RANGE).filter(|_| !is_head && self.range_applies(request));
        match Wanted::of(range.and_then(|range| range.to_str().ok()), length) {
            Wanted::All => Answer::Whole,
            Wanted::Part(part) => Answer::Part(part),
            Wanted::Unsatisfiable => Answer::NoSuchRange,
        }
    }

    /// Adds the headers that identify the version.
    pub fn describe(&self, headers: &mut HeaderMap) {
        headers.typed_insert(self.tag.clone());
        headers.typed_insert(LastModified::from(self.modified));
    }

    /// The status of the response if a condition of the request is not met (RFC 9110, section 13.2.2). `None` if all are met.
    fn condition(&self, request: &HeaderMap) -> Option<StatusCode> {
        let met = match (request.typed_get::<IfMatch>(), request.typed_get::<IfUnmodifiedSince>()) {
            (Some(expected), _) => expected.precondition_passes(&self.tag),
            (None, Some(since)) => since.precondition_passes(self.modified),
            (None, None) => true,
        };
        let changed = match (request.typed_get::<IfNoneMatch>(), request.typed_get::<IfModifiedSince>()) {
            (Some(known), _) => known.precondition_passes(&self.tag),
            (None, Some(since)) => since.is_modified(self.modified),
            (None, None) => true,
        };
        match (met, changed) {
            (false, _) => Some(StatusCode::PRECONDITION_FAILED),
            (true, false) => Some(StatusCode::NOT_MODIFIED),
            (true, true) => None,
        }
    }

    /// Whether a range may be served: there is no `If-Range`, or it names exactly this version.
    fn range_applies(&self, request: &HeaderMap) -> bool {
        let Some(named) = request.get(header::IF_RANGE) else { return true };
        let mut ours = HeaderMap::new();
        self.describe(&mut ours);
        ours.get(header::ETAG) == Some(named) || ours.get(header::LAST_MODIFIED) == Some(named)
    }
}

/// The value of a header that is not a list. If it occurs several times, it is ignored, like a malformed one.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

/// A strong entity tag: the SHA-256 of the bytes.
fn tag(digest: &[u8; 32]) -> String {
    let hex = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16));
    format!("\"{}\"", hex.collect::<String>())
}
