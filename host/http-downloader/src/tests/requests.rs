//! What requests disclose to origins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::http_downloader::HttpDownloader;
use crate::options::HttpOptions;
use crate::target::Target;
use crate::tests::origin::{allowing_loopback, fetch, next_head, response, send, start_origin};
use crate::transport::OriginRequest;
use media_cache_interfaces::Downloader;

#[tokio::test]
async fn request_has_user_agent_via_and_no_other_optional_headers() {
    let (heads, mut requests) = mpsc::unbounded_channel();
    let address = start_origin(move |stream, head| {
        heads.send(head).unwrap();
        send(stream, response("", b"media"))
    })
    .await;
    let options = HttpOptions { user_agent: "cache/7".into(), via: Some("a-cache".into()), ..HttpOptions::default() };
    fetch(&format!("http://{address}/a?b"), options).await.unwrap();
    let head = requests.recv().await.unwrap().to_ascii_lowercase();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    lines.sort_unstable();
    let host = format!("host: {address}");
    let expected =
        ["accept-encoding: identity", "accept: */*", "get /a?b http/1.1", &host, "user-agent: cache/7", "via: 1.1 a-cache"];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn authorization_is_sent_to_its_target_and_not_along_a_redirect() {
    let (heads, mut requests) = mpsc::unbounded_channel();
    let address = start_origin(move |stream, head: String| {
        heads.send(head.clone()).unwrap();
        let is_redirected = head.starts_with("GET /next");
        send(stream, if is_redirected { response("", b"media") } else { b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n".to_vec() })
    })
    .await;
    let options = allowing_loopback(HttpOptions::default());
    let target = Target::parse(&format!("http://{address}/first"), &options.access).unwrap();
    let downloader = HttpDownloader::new(options).unwrap();
    let request = OriginRequest { target, authorization: Some(HeaderValue::from_static("Bearer token")) };
    downloader.follow_redirects(request).await.unwrap();
    let is_authorized = |head: Option<String>| head.unwrap().to_ascii_lowercase().contains("\r\nauthorization: bearer token\r\n");
    assert!(is_authorized(requests.recv().await));
    assert!(!is_authorized(requests.recv().await));
}

#[tokio::test]
async fn each_http_1_request_has_its_own_connection() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let address = start_origin(move |mut stream, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody").await.unwrap();
            assert!(next_head(&mut stream).await.is_none(), "a second request");
        }
    })
    .await;
    let downloader = HttpDownloader::new(allowing_loopback(HttpOptions::default())).unwrap();
    for path in 0..3 {
        let media = downloader.fetch(&format!("http://{address}/{path}")).await.unwrap();
        assert_eq!(media.body.in_memory().unwrap(), "body");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[test]
fn default_user_agent_names_the_product() {
    let default = HttpOptions::default().user_agent;
    assert_eq!(default.split_once('/'), Some(("media-cache", env!("CARGO_PKG_VERSION"))));
}
