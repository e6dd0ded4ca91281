//! The information that requests disclose to origins.

use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderValue;
use tokio::sync::mpsc;

use crate::http_downloader::HttpDownloader;
use crate::options::HttpOptions;
use crate::retry::{Retry, RetryOptions};
use crate::target::Target;
use crate::tests::origin::{allowing_loopback, fetch, response, send, start_origin};
use crate::time_limit::TimeLimit;
use crate::transport::OriginRequest;
use media_cache_interfaces::{CacheControl, Cacheability, Downloader, FetchError, Fetched, FetchedMedia, Validators};

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
async fn authorization_is_sent_to_its_target_but_not_after_a_redirect() {
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
    let request =
        OriginRequest { authorization: Some(HeaderValue::from_static("Bearer token")), ..OriginRequest::anonymous(target) };
    downloader.follow_redirects(request, None, &mut TimeLimit::new(Duration::from_secs(60))).await.unwrap();
    let is_authorized = |head: Option<String>| head.unwrap().to_ascii_lowercase().contains("\r\nauthorization: bearer token\r\n");
    assert!(is_authorized(requests.recv().await));
    assert!(!is_authorized(requests.recv().await));
}

#[test]
fn default_user_agent_names_the_product() {
    let default = HttpOptions::default().user_agent;
    assert_eq!(default.split_once('/'), Some(("media-cache", env!("CARGO_PKG_VERSION"))));
}

/// The condition headers of a request, in lower case.
fn conditions(head: &str) -> Vec<String> {
    let lines = head.trim_end().split("\r\n").map(str::to_ascii_lowercase);
    lines.filter(|line| line.starts_with("if-")).collect()
}

#[tokio::test]
async fn conditional_request_sends_the_validators_and_may_receive_304() {
    let (heads, mut requests) = mpsc::unbounded_channel();
    let address = start_origin(move |stream, head: String| {
        heads.send(head.clone()).unwrap();
        let redirect = b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n".to_vec();
        send(
            stream,
            match head.split(' ').nth(1) {
                Some("/moved") => redirect,
                Some("/new") => response("ETag: \"2\"\r\nCache-Control: max-age=7\r\n", b"media"),
                _ => b"HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\nAge: 5\r\n\r\n".to_vec(),
            },
        )
    })
    .await;
    let downloader = HttpDownloader::new(allowing_loopback(HttpOptions::default())).unwrap();
    let url = |path: &str| format!("http://{address}{path}");
    let validators = Validators { etag: Some("W/\"1\"".into()), last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".into()) };
    let expected = ["if-none-match: w/\"1\"", "if-modified-since: sun, 06 nov 1994 08:49:37 gmt"];
    for (path, hops) in [("/same", 1), ("/moved", 2)] {
        let Fetched::NotModified(cache_control) = downloader.fetch_if_changed(&url(path), &validators).await.unwrap() else {
            panic!("{path} was sent again")
        };
        assert_eq!(cache_control, CacheControl { max_age: Some(60), age: 5, ..CacheControl::default() });
        for _ in 0..hops {
            assert_eq!(conditions(&requests.recv().await.unwrap()), expected, "{path}");
        }
    }
    let Fetched::Media(media) = downloader.fetch_if_changed(&url("/new"), &validators).await.unwrap() else {
        panic!("no media was sent")
    };
    assert_eq!((media.validators.etag.as_deref(), media.cache_control.max_age), (Some("\"2\""), Some(7)));
    let unconditional = downloader.fetch_if_changed(&url("/same"), &Validators::default()).await.map(|_| ()).unwrap_err();
    assert_eq!(unconditional, FetchError::OriginStatus(304), "there was nothing to revalidate");
}

#[tokio::test]
async fn retry_passes_on_conditional_requests() {
    struct Unchanged;
    impl Downloader for Unchanged {
        fn fetch<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
            Box::pin(async { Err(FetchError::NotFound) })
        }

        fn fetch_if_changed<'a>(&'a self, _: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
            assert!(!validators.is_empty());
            Box::pin(async { Ok(Fetched::NotModified(CacheControl::default())) })
        }
    }
    let decorated = Retry::new(Unchanged, RetryOptions::default());
    let validators = Validators { etag: Some("\"1\"".into()), last_modified: None };
    assert!(matches!(decorated.fetch_if_changed("test:a", &validators).await, Ok(Fetched::NotModified(_))));
}

#[tokio::test]
async fn configured_headers_depend_on_the_host_of_each_request() {
    let (heads, mut requests) = mpsc::unbounded_channel();
    let (port, ports) = tokio::sync::watch::channel(String::new());
    let address = start_origin(move |stream, head: String| {
        heads.send(head.to_ascii_lowercase()).unwrap();
        let location = format!("HTTP/1.1 302 Found\r\nLocation: http://n.localhost:{}/next\r\n\r\n", *ports.borrow());
        send(stream, if head.starts_with("GET /next") { response("", b"media") } else { location.into() })
    })
    .await;
    port.send_replace(address.split_once(':').unwrap().1.to_owned());
    let chosen =
        ["User-Agent: bot/1", "http://127.0.0.1=Authorization: secret", "127.0.0.1=Cookie: secret", "*.localhost=Referer: r"];
    let origin_headers = chosen.map(|text| text.parse().unwrap()).to_vec();
    let options = HttpOptions { origin_headers, ..HttpOptions::default() };
    let media = fetch(&format!("http://{address}/first"), options.clone()).await.unwrap();
    assert_eq!(media.cache_control.cacheability, Cacheability::Private, "an earlier request had credentials");
    let (first, next) = (requests.recv().await.unwrap(), requests.recv().await.unwrap());
    assert!(first.contains("\r\nauthorization: secret\r\n") && first.contains("\r\nuser-agent: bot/1\r\n"), "{first}");
    assert!(!first.contains("cookie") && !first.contains("referer"), "cookies need https: {first}");
    assert!(next.contains("\r\nreferer: r\r\n") && next.contains("\r\nuser-agent: bot/1\r\n"), "{next}");
    assert!(!next.contains("secret"), "{next}");
    let media = fetch(&format!("http://n.localhost:{}/next", address.split_once(':').unwrap().1), options).await.unwrap();
    assert_eq!(media.cache_control.cacheability, Cacheability::Public);
}
