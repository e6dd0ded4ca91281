//! Responses without media, or without the whole media.

use crate::options::HttpOptions;
use crate::tests::origin::{OK_HEAD, expect_broken, failure, fetch, origin_sending, response};
use media_cache_interfaces::FetchError;

#[tokio::test]
async fn every_status_without_the_whole_media_is_an_error() {
    let unavailable = |retry_after_seconds| FetchError::Unavailable(retry_after_seconds);
    let table = [
        ("404 Not Found\r\n", FetchError::NotFound),
        ("410 Gone\r\n", FetchError::Gone),
        ("500 Internal Server Error\r\n", FetchError::OriginStatus(500)),
        ("401 Unauthorized\r\nWWW-Authenticate: Basic\r\n", FetchError::Denied(401)),
        ("403 Forbidden\r\n", FetchError::Denied(403)),
        ("402 Payment Required\r\n", FetchError::OriginStatus(402)),
        ("407 Proxy Authentication Required\r\n", FetchError::OriginStatus(407)),
        ("451 Unavailable For Legal Reasons\r\n", FetchError::UnavailableForLegalReasons),
        ("201 Created\r\n", FetchError::OriginStatus(201)),
        ("204 No Content\r\n", FetchError::OriginStatus(204)),
        ("302 Found\r\n", FetchError::OriginStatus(302)),
        ("300 Multiple Choices\r\nLocation: /b\r\n", FetchError::OriginStatus(300)),
        ("503 Service Unavailable\r\nRetry-After: 120\r\n", unavailable(Some(120))),
        ("429 Too Many Requests\r\nRetry-After: 1\r\n", unavailable(Some(1))),
        ("503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", unavailable(Some(0))),
        ("503 Service Unavailable\r\nRetry-After: soon\r\n", unavailable(None)),
        ("429 Too Many Requests\r\n", unavailable(None)),
    ];
    for (head, expected) in table {
        let url = origin_sending(format!("HTTP/1.1 {head}Connection: close\r\n\r\n")).await;
        assert_eq!(failure(&url, HttpOptions::default()).await, expected, "{head}");
    }
}

#[tokio::test]
async fn status_203_and_unknown_content_encoding_words_are_accepted() {
    let transformed = "HTTP/1.1 203 Non-Authoritative Information\r\nContent-Length: 3\r\nConnection: close\r\n\r\none";
    assert_eq!(fetch(&origin_sending(transformed).await, HttpOptions::default()).await.unwrap().body.len(), 3);
    for word in ["aws-chunked", "none", "utf-8", ""] {
        let url = origin_sending(response(&format!("Content-Encoding: {word}\r\n"), b"one")).await;
        assert_eq!(fetch(&url, HttpOptions::default()).await.unwrap().body.len(), 3, "{word}");
    }
}

#[tokio::test]
async fn partial_encoded_short_or_empty_body_is_an_error() {
    let part = "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Range: bytes 0-2/6\r\nContent-Length: 3\r\n\r\none";
    expect_broken(origin_sending(part).await, "a part").await;
    expect_broken(origin_sending(response("Content-Encoding: gzip\r\n", b"one")).await, "gzip").await;
    expect_broken(origin_sending(response("Content-Encoding: identity, br\r\n", b"one")).await, "br").await;
    let coded = format!("{OK_HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n3\r\none\r\n0\r\n\r\n");
    expect_broken(origin_sending(coded).await, "gzip").await;
    expect_broken(origin_sending(format!("{OK_HEAD}Content-Length: 6\r\n\r\none")).await, "after 3 bytes").await;
    expect_broken(origin_sending(format!("{OK_HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")).await, "after 3 bytes").await;
    expect_broken(origin_sending(format!("{OK_HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\non")).await, "after 2 bytes").await;
    expect_broken(origin_sending(format!("{OK_HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).await, "empty").await;
    expect_broken(origin_sending(response("", b"")).await, "empty").await;
    expect_broken(origin_sending(format!("{OK_HEAD}\r\n")).await, "empty").await;
}
