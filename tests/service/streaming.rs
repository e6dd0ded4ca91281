//! Responses that are sent while a download is in progress.

use std::time::{Duration, Instant};

use http::Method;
use media_cache_test_support::fed_origin::FedOrigin;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::images::gif;
use media_cache_test_support::random::noise;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use reqwest::Response;

/// Bytes that are recognised as an image.
fn picture(length: usize) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), &noise(1, length - 8)].concat()
}

/// Requests a URL, and returns when the head of the response has arrived, before the origin has sent the whole body.
async fn begin(service: &Service, method: Method, url: &str) -> Response {
    soon(service.media_request(method, url).send()).await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// Reads this many bytes.
async fn read(response: &mut Response, count: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < count {
        read.extend_from_slice(&soon(response.chunk()).await.unwrap().unwrap());
    }
    read
}

#[tokio::test]
async fn response_begins_before_the_download_has_ended() {
    for length in [Some(50_000), None] {
        let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
        let service = dir.serve().await;
        let (url, sent) = (origin.url("/a.png"), picture(50_000));
        origin.send_head("image/png", length);
        origin.send(&sent[..20_000]);
        let mut response = begin(&service, Method::GET, &url).await;
        assert_eq!((response.status().as_u16(), header(&response, "x-cache")), (200, "miss"));
        assert_eq!(header(&response, "content-type"), "image/png");
        assert_eq!(header(&response, "content-disposition"), "inline; filename=\"a.png\"");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert!(header(&response, "content-security-policy").contains("default-src 'none'"));
        assert_eq!(header(&response, "content-length"), length.map_or("", |_| "50000"));
        for name in ["etag", "last-modified", "accept-ranges"] {
            assert_eq!(header(&response, name), "", "{name}");
        }
        let mut got = read(&mut response, 20_000).await;
        assert!(!dir.holds(&url), "nothing is stored yet");
        origin.send(&sent[20_000..]);
        origin.close();
        while let Some(chunk) = soon(response.chunk()).await.unwrap() {
            got.extend_from_slice(&chunk);
        }
        assert_eq!(got, sent);
        service.until_stored(1).await;
        let hit = service.media(&url).await.is("hit");
        assert_eq!((&hit.body[..], hit.header("accept-ranges"), hit.header("etag").len()), (&sent[..], "bytes", 66));
        assert_eq!(origin.requests(), 1);
    }
}

#[tokio::test]
async fn request_is_recorded_with_the_size_and_the_cost_of_the_whole_body() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let trace = dir.path("trace.csv");
    let service = dir.serve_with(&["--record-trace", trace.to_str().unwrap()]).await;
    let (url, sent) = (origin.url("/a.png"), picture(50_000));
    origin.send_head("image/png", None);
    origin.send(&sent[..20_000]);
    let mut response = begin(&service, Method::GET, &url).await;
    read(&mut response, 20_000).await;
    let (paused, pause) = (Instant::now(), Duration::from_millis(200));
    while paused.elapsed() < pause {
        service.stats().await;
    }
    origin.send(&sent[20_000..]);
    origin.close();
    while soon(response.chunk()).await.unwrap().is_some() {}
    service.until_stored(1).await;
    service.stop().await;
    let trace = std::fs::read_to_string(trace).unwrap();
    let fields: Vec<&str> = trace.trim_end().split(',').collect();
    // 13 blocks and the sidecar.
    assert_eq!((fields.len(), fields[2], fields[4], fields[5]), (6, "57344", "", "image"), "{trace}");
    assert!(fields[3].parse::<u32>().is_ok_and(|cost| cost >= 200), "{trace}");
}

#[tokio::test]
async fn response_to_a_short_body_that_arrives_completely_has_all_headers() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    origin.send_head("image/png", Some(5000));
    origin.send(picture(5000));
    let response = service.media(&origin.url("/a.png")).await.is("miss");
    assert_eq!((response.header("accept-ranges"), response.header("etag").len()), ("bytes", 66));
    assert_eq!(service.stats().await["storage"]["stored"], 1);
}

#[tokio::test]
async fn requests_during_a_download_follow_it_unless_they_need_the_whole_body() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let (url, sent) = (origin.url("/a.png"), picture(50_000));
    origin.send_head("image/png", Some(50_000));
    origin.send(&sent[..20_000]);
    let mut first = begin(&service, Method::GET, &url).await;
    let mut second = begin(&service, Method::GET, &url).await;
    let head = begin(&service, Method::HEAD, &url).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length"), header(&head, "etag")), (200, "50000", ""));
    let range = send(service.media_request(Method::GET, &url).header("range", "bytes=10-19"));
    let condition = send(service.media_request(Method::GET, &url).header("if-none-match", "*"));
    let waiting = tokio::spawn(futures::future::join(range, condition));
    soon(async { while service.stats().await["downloads"]["coalesced"].as_u64().unwrap() < 4 {} }).await;
    assert_eq!(read(&mut first, 20_000).await, sent[..20_000]);
    assert_eq!(read(&mut second, 20_000).await, sent[..20_000]);
    assert!(!waiting.is_finished());
    origin.send(&sent[20_000..]);
    let (range, condition) = soon(waiting).await.unwrap();
    assert_eq!((range.status, &range.body[..], range.header("etag").len()), (206, &sent[10..20], 66));
    assert_eq!(condition.status, 304);
    for response in [&mut first, &mut second] {
        assert_eq!(read(response, 30_000).await, sent[20_000..]);
    }
    assert_eq!(origin.requests(), 1);
}

#[tokio::test]
async fn response_ends_with_an_error_and_nothing_is_stored_if_the_download_is_interrupted() {
    for length in [Some(50_000), None] {
        let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
        let service = dir.serve_with(&["--log-requests", "errors"]).await;
        let url = origin.url("/a.png");
        // Without a length, only a chunked body can be recognised as incomplete.
        match length {
            Some(_) => origin.send_head("image/png", length),
            None => origin.send("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n"),
        }
        origin.send(picture(20_000));
        let mut response = begin(&service, Method::GET, &url).await;
        assert_eq!(response.status().as_u16(), 200);
        read(&mut response, 20_000).await;
        origin.close();
        let error = soon(async {
            loop {
                match response.chunk().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some(error),
                }
            }
        });
        assert!(error.await.is_some(), "the response must not look complete: {length:?}");
        soon(async { while service.stats().await["downloads"]["failed"] != 1 {} }).await;
        assert!(!dir.holds(&url));
        let remembered = service.media(&url).await;
        remembered.problem(502);
        assert_eq!((remembered.code().as_str(), origin.requests()), ("short-body", 1));
    }
}

/// Requests a body that the origin corrupts after its beginning, over this version of HTTP. Returns the head of the response, and the bytes
/// after it.
async fn garbled(protocol: &str, framing: &str, start: &[u8], rest: &[u8]) -> (String, Vec<u8>) {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = origin.url("/a.png");
    origin.send(format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n{framing}\r\n\r\n"));
    origin.send(start);
    let mut client = RawClient::connect(&service).await;
    client.send(format!("GET {} {protocol}\r\nHost: x\r\nConnection: close\r\n\r\n", media_path(&url))).await;
    // The body is corrupted only after the responses have begun. Otherwise it would be requested again.
    let other = begin(&service, Method::GET, &url).await;
    soon(async { while service.stats().await["media_cache"]["misses"] != 2 {} }).await;
    let mut received = Vec::new();
    if protocol == "HTTP/1.1" || framing.starts_with("Content-Length") {
        received.extend(client.read_bytes(12).await.into_bytes());
    }
    origin.send(rest);
    origin.close();
    received.extend(client.until_closed().await);
    assert!(soon(other.bytes()).await.is_err());
    soon(async { while service.stats().await["downloads"]["failed"] != 1 {} }).await;
    assert_eq!((service.stats().await["storage"]["stored"].as_u64(), dir.holds(&url)), (Some(0), false));
    let end = received.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let body = received.split_off(end);
    (String::from_utf8(received).unwrap(), body)
}

#[tokio::test]
async fn response_of_a_download_with_garbled_chunks_is_never_complete() {
    let start = [b"4e20\r\n".as_slice(), &picture(20_000)].concat();
    for rest in [b"\r\nzz\r\n".as_slice(), b"no line feed", b"\r\n-1\r\n", b"\r\n0\r\nbroken off", b"\r\n0\r\n\r\nsurplus"] {
        let rest_text = String::from_utf8_lossy(rest);
        let (head, body) = garbled("HTTP/1.1", "Transfer-Encoding: chunked", &start, rest).await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("transfer-encoding: chunked"), "{head}");
        assert!(body.len() > 20_000 && !body.ends_with(b"0\r\n\r\n"), "{} bytes after {rest_text:?}", body.len());
        // HTTP/1.0 has no chunks, so a truncated body would look complete.
        let (head, body) = garbled("HTTP/1.0", "Transfer-Encoding: chunked", &start, rest).await;
        assert!(head.contains(" 502 ") && head.contains("content-type: application/problem+json"), "{head}");
        let length = format!("content-length: {}\r\n", body.len());
        assert!(head.contains(&length), "{head}");
    }
}

#[tokio::test]
async fn response_of_a_download_with_a_wrong_length_is_never_complete() {
    let sent = picture(60_000);
    for protocol in ["HTTP/1.1", "HTTP/1.0"] {
        for total in [20_000, 49_999, 50_001] {
            let (head, body) = garbled(protocol, "Content-Length: 50000", &sent[..20_000], &sent[20_000..total]).await;
            assert!(head.contains(" 200 OK") && head.contains("content-length: 50000"), "{head}");
            assert!((20_000..50_000).contains(&body.len()) && sent.starts_with(&body), "{} of {total} bytes", body.len());
        }
    }
}

#[tokio::test]
async fn clients_that_stall_or_disconnect_affect_neither_other_clients_nor_the_download() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let (url, sent) = (origin.url("/a.png"), picture(8 << 20));
    origin.send_head("image/png", Some(sent.len()));
    origin.send(&sent[..20_000]);
    drop(begin(&service, Method::GET, &url).await);
    let mut slow = RawClient::connect_with_small_buffer(&service).await;
    slow.send_get(&media_path(&url)).await;
    assert!(slow.read_bytes(15).await.starts_with("HTTP/1.1 200 OK"));
    let quick = begin(&service, Method::GET, &url).await;
    origin.send(&sent[20_000..]);
    assert_eq!(soon(quick.bytes()).await.unwrap(), sent);
    service.until_stored(1).await;
    assert_eq!(service.media(&url).await.is("hit").body, sent);
    assert_eq!(origin.requests(), 1);
}

#[tokio::test]
async fn gif_is_converted_before_its_response_begins() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let animation = [gif(&[10, 20]), vec![0; 20_000]].concat();
    origin.send_head("image/gif", Some(animation.len()));
    origin.send(&animation[..10_000]);
    let url = origin.url("/a.gif");
    let mut request = Box::pin(service.media(&url));
    tokio::select! {
        response = &mut request => panic!("the response has begun: {response:?}"),
        () = soon(async { while service.stats().await["media_cache"]["misses"] != 1 {} }) => {}
    }
    origin.send(&animation[10_000..]);
    let response = soon(request).await.is("miss");
    assert_eq!(response.header("content-type"), "video/mp4");
}

#[tokio::test]
async fn head_of_a_body_of_unknown_length_has_no_content_length() {
    let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    origin.send_head("image/png", None);
    origin.send(&picture(50_000)[..20_000]);
    let head = begin(&service, Method::HEAD, &origin.url("/a.png")).await;
    assert_eq!((head.status().as_u16(), head.headers().get("content-length")), (200, None));
}

#[tokio::test]
async fn entry_that_is_deleted_while_its_body_is_arriving_is_not_stored() {
    for delete in ["/media?url=", "/entries?prefix="] {
        let (origin, dir) = (FedOrigin::start().await, ServiceDirectory::create());
        let service = dir.serve().await;
        let (url, sent) = (origin.url("/a.png"), picture(50_000));
        origin.send_head("image/png", Some(50_000));
        origin.send(&sent[..20_000]);
        let mut response = begin(&service, Method::GET, &url).await;
        let path = format!("{delete}{}", media_path(&url).split_once('=').unwrap().1);
        assert!(send(service.request(Method::DELETE, &path)).await.status < 300, "{path}");
        origin.send(&sent[20_000..]);
        assert_eq!(read(&mut response, 50_000).await, sent);
        let downloads = &service.stats().await["downloads"];
        assert_eq!([&downloads["succeeded"], &downloads["failed"]], [0, 0], "{delete}: it was discarded");
        service.stop().await;
        assert!(!dir.holds(&url), "{delete}");
    }
}
