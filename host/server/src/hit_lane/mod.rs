//! The hit lane: answers requests for media that is in memory or in an open file as soon as their head has been read, without hyper or
//! the router.
//!
//! It has no rules of its own. Access, conditions, ranges and headers come from the functions that the router's handlers use. Everything
//! else (an unknown header, another method, a refusal) is left to those handlers. The head of an ordinary response is built once per entry.

mod date;
mod known_headers;
mod made_head;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::http::{Method, StatusCode};
use bytes::Bytes;
use media_cache::Media;
use media_cache_requests::MediaTarget;

use crate::access::Listener;
use crate::connections::file_body::FileBody;
use crate::connections::in_place::{InPlaceBody, InPlaceResponse, RequestHead, RespondInPlace};
use crate::hit_lane::date::write_date;
use crate::hit_lane::known_headers::KnownHeaders;
use crate::hit_lane::made_head::{HeadKey, MadeHead};
use crate::key_digest;
use crate::logs::requests::LogRequests;
use crate::media_response::head;
use crate::metrics::requests::{Outcome, method_name};
use crate::request_id::write_request_id;
use crate::request_trace::{TraceParent, TracedRequest};
use crate::routes;
use crate::service::Service;
use crate::shared_access::SharedAccess;
use crate::version::{Answer, Version};

/// The longest target that the lane handles, in bytes. hyper accepts slightly longer ones.
const LONGEST_TARGET: usize = 65_000;

/// The hit lane of a listener.
pub(crate) struct HitLane {
    service: Service,
    access: SharedAccess,
}

impl HitLane {
    pub fn new(service: Service, access: SharedAccess) -> Self {
        Self { service, access }
    }
}

impl RespondInPlace for HitLane {
    fn respond(&self, request: &RequestHead<'_>) -> Option<InPlaceResponse> {
        let begun = Instant::now();
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        if !MediaTarget::is_media(path) || !is_plain(request.target) {
            return None;
        }
        let headers = KnownHeaders::read(request.headers)?;
        // Requests that are logged are left to the router, whose layers log them.
        if self.service.request_log().requests >= LogRequests::All {
            return None;
        }
        let access = self.access.current();
        if access.access.listener == Listener::Administration {
            return None;
        }
        let now = SystemTime::now();
        let target = MediaTarget::parse(path, query).ok()?;
        let restriction = access.access.authorize_media(&target, now).ok()?;
        let cache = self.service.loaded_cache()?;
        key_digest::check(&cache, &target.url, target.digest).ok()?;
        let hit = cache.resident_hit(&target.url)?;
        let key = HeadKey::new(hit.media(), now, restriction, &access, headers.origin);
        let (status, head, body) = respond(hit.media(), &headers, key, request.is_head, now)?;
        let media = hit.count();
        self.service.record(&cache, &target.url, &media);
        let mut last_lines = Vec::with_capacity(128);
        last_lines.extend_from_slice(b"x-request-id: ");
        let id = last_lines.len();
        write_request_id(headers.request_id, &mut last_lines);
        let id = id..last_lines.len();
        last_lines.extend_from_slice(b"\r\ndate: ");
        write_date(now, &mut last_lines);
        last_lines.extend_from_slice(b"\r\n\r\n");
        let method = if request.is_head { Method::HEAD } else { Method::GET };
        let requests = self.service.metrics().requests();
        requests.answered_in_place(&method, media.source, begun.elapsed());
        let mut sent = requests.send(media.source);
        let parent = TraceParent { traceparent: text(headers.traceparent), tracestate: text(headers.tracestate) };
        // From here on, the router does not decide about the request again.
        let begin = |tracer| TracedRequest::begin(tracer, parent, method_name(&method), Some(routes::MEDIA));
        let traced = self.service.tracer().and_then(begin);
        if let Some(traced) = traced {
            traced.record_outcome(text(last_lines.get(id)).unwrap_or_default(), Outcome::Media(media.source).name(), Some(status));
            traced.record_url(self.service.request_log().urls, path, query);
            sent.end_at_drop(traced);
        }
        Some(InPlaceResponse { head, last_lines, body, sent })
    }
}

/// The status, the head and the body of the response. `None` if the router has to respond, for example with a refusal.
fn respond(
    media: &Media,
    headers: &KnownHeaders<'_>,
    key: HeadKey<'_>,
    is_head: bool,
    now: SystemTime,
) -> Option<(StatusCode, Bytes, InPlaceBody)> {
    let length = media.body.len();
    // hyper writes `content-length: 0` in a different position.
    if length == 0 {
        return None;
    }
    let made = media.attachment().get::<MadeHead>();
    let body = |part: Range<u64>| match media.body.in_memory() {
        _ if is_head || part.is_empty() => InPlaceBody::Bytes(Bytes::new()),
        Some(bytes) => InPlaceBody::Bytes(bytes.slice(part.start as usize..part.end as usize)),
        None => InPlaceBody::File(FileBody::new(media.body.clone(), part)),
    };
    if let Some(made) = made.as_ref().filter(|made| headers.conditions.is_empty() && made.is_for(&key)) {
        return Some((StatusCode::OK, made.head.clone(), body(0..length)));
    }
    let version = match &made {
        Some(made) => made.version.clone(),
        // Computing a digest would take too long here.
        None if media.body.known_digest().is_none() => return None,
        None => futures::FutureExt::now_or_never(Version::of(media))?.ok()?,
    };
    let answer = version.answer(is_head, &headers.conditions, length);
    let made = head(&answer, is_head, media, &version, now)?;
    let status = made.status;
    let head = key.finish(status, made.headers)?;
    if answer == Answer::Whole {
        media.attachment().set(Arc::new(MadeHead::new(version, &key, head.clone())));
    }
    Some((status, head, body(made.part)))
}

/// The value of a header, if it is text.
fn text(value: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(value?).ok()
}

/// Whether hyper is certain to accept a target: it is not too long, and contains only unproblematic characters.
fn is_plain(target: &str) -> bool {
    target.len() <= LONGEST_TARGET
        && target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%-._~:/?&=+,;@!$'()*".contains(&byte))
}
