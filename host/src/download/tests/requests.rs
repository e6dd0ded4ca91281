//! What origins are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::http::HeaderValue;

use super::*;
use crate::download::target::Target;
use crate::download::transport::Ask;

#[tokio::test]
async fn a_request_says_who_asks_and_on_whose_behalf_and_nothing_else() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let address = origin(move |stream, head| {
        heads.send(head).unwrap();
        send(stream, whole("", b"there"))
    })
    .await;
    let options = HttpOptions { user_agent: "cache/7".into(), via: Some("a-cache".into()), ..HttpOptions::default() };
    fetch(&format!("http://{address}/a?b"), options).await.unwrap();
    let head = asked.recv().await.unwrap().to_ascii_lowercase();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    lines.sort_unstable();
    let host = format!("host: {address}");
    let expected =
        ["accept-encoding: identity", "accept: */*", "get /a?b http/1.1", &host, "user-agent: cache/7", "via: 1.1 a-cache"];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_token_is_sent_to_whom_it_is_for_and_not_along_a_redirect() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let address = origin(move |stream, head: String| {
        heads.send(head.clone()).unwrap();
        let there = head.starts_with("GET /there");
        send(stream, if there { whole("", b"there") } else { b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n".to_vec() })
    })
    .await;
    let options = locally(HttpOptions::default());
    let target = Target::parse(&format!("http://{address}/here"), &options.access).unwrap();
    let downloader = HttpDownloader::new(options).unwrap();
    let first = Ask { target, bearer: Some(HeaderValue::from_static("Bearer token")) };
    downloader.follow(first).await.unwrap();
    let carried = |head: Option<String>| head.unwrap().to_ascii_lowercase().contains("\r\nauthorization: bearer token\r\n");
    assert!(carried(asked.recv().await));
    assert!(!carried(asked.recv().await));
}

#[tokio::test]
async fn over_http_1_each_request_has_a_connection_of_its_own() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let address = origin(move |mut stream, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody").await.unwrap();
            assert!(next_head(&mut stream).await.is_none(), "it is asked for more");
        }
    })
    .await;
    let downloader = HttpDownloader::new(locally(HttpOptions::default())).unwrap();
    for path in 0..3 {
        let download = downloader.fetch(&format!("http://{address}/{path}")).await.unwrap();
        assert_eq!(download.body.in_memory().unwrap(), "body");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}
