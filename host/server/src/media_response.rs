//! Media as a response: whole, a range, or 304 if the client already has it.
//!
//! After a miss, the body may still be arriving. The response then sends the body as it arrives, unless the request needs the whole body.
//! Such a response has no `ETag`, because the digest is not known yet, and does not support ranges. If the download fails, the response
//! ends early in a way that the client can detect.

use std::ops::Range;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use media_cache::{Blob, Media, Source};

use crate::caching;
use crate::content_disposition::content_disposition;
use crate::presentation::Presentation;
use crate::problem::Problem;
use crate::security_headers::{CROSS_ORIGIN_RESOURCE_POLICY, PLAYER_CONTENT_SECURITY_POLICY};
use crate::version::{Answer, Version};

/// Responds to a request for media. The source of the media is in the response's extensions, for [`observe`](crate::observe).
pub(crate) async fn respond(
    method: &Method,
    protocol: http::Version,
    request: &HeaderMap,
    media: Media,
) -> Result<Response, Problem> {
    let is_head = *method == Method::HEAD;
    if media.body.is_arriving() && !needs_all(is_head, protocol, request, &media.body) {
        return Ok(follow(&media));
    }
    media.finished().await?;
    let version = Version::of(&media).await?;
    let length = media.body.len();
    let answer = version.answer(is_head, request, length);
    let Some(Head { status, headers, part }) = head(&answer, is_head, &media, &version, SystemTime::now()) else {
        return refuse(&answer, length);
    };
    let mut response = Response::new(body(&media.body, part));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.extensions_mut().insert(media.source);
    Ok(response)
}

/// Whether a request cannot be answered before the whole body has arrived. This is the case for conditional and range requests. It is
/// also the case if the length is unknown and the client does not support chunked encoding, because it could not detect a truncated body.
fn needs_all(is_head: bool, protocol: http::Version, request: &HeaderMap, body: &Blob) -> bool {
    const CONDITIONS: [HeaderName; 4] =
        [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];
    let is_conditional = CONDITIONS.iter().any(|name| request.contains_key(name));
    let is_range = !is_head && request.contains_key(header::RANGE);
    is_conditional || is_range || (protocol < http::Version::HTTP_11 && body.expected_len().is_none())
}

/// A response that sends a body as it arrives.
fn follow(media: &Media) -> Response {
    // HEAD gets this body, too, because the length of an empty one would be taken for that of the media.
    let mut response = Response::new(Body::from_stream(media.body.stream(0..u64::MAX)));
    let (headers, presentation) = (response.headers_mut(), Presentation::of(media.mimetype()));
    if let Some(length) = media.body.expected_len() {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    describe_content(headers, media, presentation);
    describe_serving(headers, media, presentation, SystemTime::now());
    response.extensions_mut().insert(media.source);
    response
}

/// The head of a response with media, without the headers that all responses have.
pub(crate) struct Head {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The range of the media in the body.
    pub part: Range<u64>,
}

/// The head of the response with this answer. `None` if the request is refused.
pub(crate) fn head(answer: &Answer, is_head: bool, media: &Media, version: &Version, now: SystemTime) -> Option<Head> {
    let length = media.body.len();
    let presentation = Presentation::of(media.mimetype());
    let mut headers = HeaderMap::new();
    let (status, part) = match answer {
        Answer::Whole => (StatusCode::OK, 0..length),
        Answer::Part(part) => (StatusCode::PARTIAL_CONTENT, part.clone()),
        Answer::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
        Answer::OtherVersion | Answer::NoSuchRange => return None,
    };
    match answer {
        // Only the length of the 200 response is allowed here (RFC 9110, section 8.6). Without it, hyper would add 0.
        Answer::NotModified if is_head => drop(headers.insert(header::CONTENT_LENGTH, length.into())),
        Answer::NotModified => {}
        _ => {
            headers.insert(header::CONTENT_LENGTH, (part.end - part.start).into());
            if status == StatusCode::PARTIAL_CONTENT {
                insert(&mut headers, header::CONTENT_RANGE, &format!("bytes {}-{}/{length}", part.start, part.end - 1));
            }
            describe_content(&mut headers, media, presentation);
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
    }
    version.describe(&mut headers);
    describe_serving(&mut headers, media, presentation, now);
    Some(Head { status, headers, part })
}

/// The response to a request that is refused.
fn refuse(answer: &Answer, length: u64) -> Result<Response, Problem> {
    if *answer == Answer::NoSuchRange {
        let why = format!("the range lies outside the media, which has {length} bytes");
        let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no-such-range", why).into_response();
        insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{length}"));
        return Ok(response);
    }
    let why = "the stored version of the media does not meet the condition of the request";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", why))
}

fn body(blob: &Blob, part: Range<u64>) -> Body {
    match blob.in_memory() {
        _ if part.is_empty() => Body::empty(),
        Some(bytes) => Body::from(bytes.slice(part.start as usize..part.end as usize)),
        None => Body::from_stream(blob.stream(part)),
    }
}

/// Adds the headers that describe the bytes.
fn describe_content(headers: &mut HeaderMap, media: &Media, presentation: Presentation<'_>) {
    let Presentation { content_type, is_inline } = presentation;
    insert(headers, header::CONTENT_TYPE, content_type);
    insert(headers, header::CONTENT_DISPOSITION, &content_disposition(is_inline, media.filename()));
}

/// Adds the headers that say how long media may be cached, how it may be used, and where it came from.
fn describe_serving(headers: &mut HeaderMap, media: &Media, presentation: Presentation<'_>, now: SystemTime) {
    caching::describe(headers, media.cache_control(), media.stored_at(), now);
    // Any site may embed media, unlike other responses.
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if presentation.is_played() {
        headers.insert(header::CONTENT_SECURITY_POLICY, PLAYER_CONTENT_SECURITY_POLICY);
    }
    // A request for a style sheet must reach the service, which refuses it, even if the browser has cached the media.
    headers.insert(header::VARY, HeaderValue::from_static("sec-fetch-dest"));
    let cache = match media.source {
        Source::Memory | Source::Disk => "hit",
        Source::Origin => "miss",
        Source::Copy => "tier",
    };
    headers.insert(HeaderName::from_static("x-cache"), HeaderValue::from_static(cache));
}

/// Adds a header if its value is visible ASCII.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use axum::body::to_bytes;
    use media_cache::{ArrivingBody, FetchError, MediaInfo, Spool, SpooledBody};

    use super::*;

    const MODIFIED: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

    fn media() -> Media {
        let stored_at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        Media::new(MediaInfo::new("image/png", "a.png", stored_at), Blob::from("0123456789"), Source::Memory)
    }

    async fn get(headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        request(Method::GET, headers).await
    }

    async fn request(method: Method, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let response = respond(&method, http::Version::HTTP_11, &sent, media()).await.unwrap_or_else(IntoResponse::into_response);
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1000).await.unwrap();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn whole_media_has_all_headers() {
        let (status, headers, body) = get(&[]).await;
        assert_eq!((status, body.as_str()), (200, "0123456789"));
        let tag = "\"84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\"";
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-length", "10"),
            ("content-disposition", "inline; filename=\"a.png\""),
            ("etag", tag),
            ("last-modified", MODIFIED),
            ("cache-control", "public, max-age=86400"),
            ("accept-ranges", "bytes"),
            ("x-cache", "hit"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("vary", "sec-fetch-dest"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert!(!headers.contains_key("content-range"));
    }

    #[tokio::test]
    async fn a_range_request_gets_a_partial_response() {
        let (status, headers, body) = get(&[("range", "bytes=2-4")]).await;
        assert_eq!((status, body.as_str()), (206, "234"));
        assert_eq!(
            (&headers["content-range"], &headers["content-length"]),
            (&"bytes 2-4/10".parse().unwrap(), &"3".parse().unwrap())
        );
        let (status, headers, body) = get(&[("range", "bytes=10-")]).await;
        assert_eq!((status, &headers["content-range"]), (416, &"bytes */10".parse().unwrap()));
        assert!(body.contains("which has 10 bytes"), "{body}");
        assert_eq!(request(Method::HEAD, &[("range", "bytes=2-4")]).await.0, 200, "HEAD ignores ranges");
        assert_eq!(get(&[("range", "bytes=2-4"), ("range", "bytes=2-4")]).await.0, 200, "a repeated Range header is ignored");
    }

    #[tokio::test]
    async fn a_range_of_another_version_is_ignored() {
        let tag = get(&[]).await.1["etag"].to_str().unwrap().to_owned();
        let bare = tag.trim_matches('"');
        for (condition, status) in [
            (tag.as_str(), 206),
            (MODIFIED, 206),
            ("\"other\"", 200),
            ("W/\"x\"", 200),
            (bare, 200),
            ("Tue, 14 Nov 2023 22:13:19 GMT", 200),
            ("Tue, 14 Nov 2023 22:13:21 GMT", 200),
        ] {
            assert_eq!(get(&[("range", "bytes=0-0"), ("if-range", condition)]).await.0, status, "{condition}");
        }
    }

    #[tokio::test]
    async fn conditions_are_compared_with_the_stored_version() {
        let tag = get(&[]).await.1["etag"].to_str().unwrap().to_owned();
        let weak = format!("W/{tag}");
        for (name, value, status) in [
            ("if-none-match", tag.as_str(), 304),
            ("if-none-match", weak.as_str(), 304),
            ("if-none-match", "*", 304),
            ("if-none-match", "\"other\"", 200),
            ("if-modified-since", MODIFIED, 304),
            ("if-modified-since", "Tue, 14 Nov 2023 22:13:19 GMT", 200),
            ("if-modified-since", "nonsense", 200),
            ("if-match", tag.as_str(), 200),
            ("if-match", "\"other\"", 412),
            ("if-unmodified-since", MODIFIED, 200),
            ("if-unmodified-since", "Tue, 14 Nov 2023 22:13:19 GMT", 412),
        ] {
            assert_eq!(get(&[(name, value)]).await.0, status, "{name}: {value}");
        }
        let (_, headers, body) = get(&[("if-none-match", tag.as_str())]).await;
        assert!(body.is_empty() && headers.contains_key("etag") && !headers.contains_key("content-type"));
        let both = [("if-none-match", "\"other\""), ("if-modified-since", MODIFIED)];
        assert_eq!(get(&both).await.0, 200, "a tag takes precedence over a time");
    }

    #[tokio::test]
    async fn a_time_beyond_the_last_http_date_is_sent_as_the_last_http_date() {
        let info = MediaInfo::new("image/png", "a.png", UNIX_EPOCH + Duration::from_secs(1 << 40));
        let late = Media::new(info, Blob::from("bytes"), Source::Memory);
        let response = respond(&Method::GET, http::Version::HTTP_11, &HeaderMap::new(), late).await.unwrap();
        assert_eq!(response.headers()["last-modified"], "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    /// Media whose first ten bytes have arrived, and the writer for the rest.
    async fn arriving(announced: Option<u64>) -> (Media, ArrivingBody) {
        let mut body = SpooledBody::new(1000, Spool::temporary(), announced);
        body.append("0123456789".into()).await.unwrap();
        let (body, writer) = body.into_arriving();
        (Media::new(MediaInfo::new("image/png", "a.png", SystemTime::now()), body, Source::Origin), writer)
    }

    #[tokio::test]
    async fn an_arriving_body_is_sent_without_an_etag_or_support_for_ranges() {
        for announced in [None, Some(12)] {
            for method in [Method::GET, Method::HEAD] {
                let (media, mut writer) = arriving(announced).await;
                let response = respond(&method, http::Version::HTTP_11, &HeaderMap::new(), media).await.unwrap();
                let headers = response.headers().clone();
                for (name, value) in [
                    ("content-type", "image/png"),
                    ("content-disposition", "inline; filename=\"a.png\""),
                    ("cache-control", "public, max-age=86400"),
                    ("cross-origin-resource-policy", "cross-origin"),
                    ("vary", "sec-fetch-dest"),
                    ("x-cache", "miss"),
                ] {
                    assert_eq!(headers[name], value, "{name}");
                }
                for name in ["etag", "last-modified", "accept-ranges"] {
                    assert!(!headers.contains_key(name), "{name}");
                }
                assert_eq!(headers.get("content-length").map(|length| length.to_str().unwrap()), announced.map(|_| "12"));
                let body = tokio::spawn(to_bytes(response.into_body(), 1000));
                writer.append("ab".into()).await.unwrap();
                writer.finish(|_| FetchError::NotFound).await;
                // The router drops the body of a response to HEAD.
                assert_eq!(body.await.unwrap().unwrap(), "0123456789ab");
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_an_error_and_shorter_than_its_declared_length() {
        for announced in [None, Some(10), Some(20)] {
            let (media, writer) = arriving(announced).await;
            let response = respond(&Method::GET, http::Version::HTTP_11, &HeaderMap::new(), media).await.unwrap();
            let mut body = response.into_body().into_data_stream();
            let first = futures::StreamExt::next(&mut body).await.unwrap().unwrap();
            assert_eq!(first.len(), if announced == Some(10) { 9 } else { 10 }, "the last byte is sent only at the end");
            writer.fail(FetchError::ShortBody("the connection was closed".into()));
            assert!(futures::StreamExt::next(&mut body).await.unwrap().is_err(), "{announced:?}");
        }
    }

    #[tokio::test]
    async fn requests_that_need_the_whole_body_wait_for_it() {
        for (name, value, protocol, status) in [
            ("range", "bytes=2-4", http::Version::HTTP_11, 206),
            ("if-none-match", "*", http::Version::HTTP_11, 304),
            ("if-match", "\"other\"", http::Version::HTTP_11, 412),
            ("if-modified-since", MODIFIED, http::Version::HTTP_11, 200),
            ("accept", "*/*", http::Version::HTTP_10, 200),
        ] {
            let (media, writer) = arriving(None).await;
            let mut request = HeaderMap::new();
            request.insert(name, value.parse().unwrap());
            let mut responding = Box::pin(respond(&Method::GET, protocol, &request, media));
            assert!(futures::FutureExt::now_or_never(&mut responding).is_none(), "{name}");
            writer.finish(|_| FetchError::NotFound).await;
            let response = responding.await.unwrap_or_else(IntoResponse::into_response);
            assert_eq!(response.status().as_u16(), status, "{name}");
        }
        let (media, writer) = arriving(None).await;
        writer.fail(FetchError::Gone);
        let range = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=0-0"))]);
        let response =
            respond(&Method::GET, http::Version::HTTP_11, &range, media).await.unwrap_or_else(IntoResponse::into_response);
        assert_eq!(response.status().as_u16(), 410, "a failure keeps its status");
    }
}
