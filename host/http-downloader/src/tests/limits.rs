//! Limits on sizes and media types.

use crate::options::HttpOptions;
use crate::tests::origin::{OK_HEAD, failure, fetch, origin_sending, origin_stalling_after, response, send, start_origin};
use media_cache_interfaces::FetchError;

fn types(patterns: &[&str]) -> HttpOptions {
    let accept_types = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    HttpOptions { accept_types, ..HttpOptions::default() }
}

#[tokio::test]
async fn download_of_a_body_over_the_limit_is_aborted_early() {
    let options = HttpOptions { max_body_bytes: 1000, ..HttpOptions::default() };
    let announced = origin_stalling_after(format!("{OK_HEAD}Content-Length: 1001\r\n\r\n")).await;
    assert_eq!(failure(&announced, options.clone()).await, FetchError::TooLarge(1000));
    let streamed = origin_stalling_after(format!("{OK_HEAD}\r\n{}", "x".repeat(1001))).await;
    assert_eq!(failure(&streamed, options.clone()).await, FetchError::TooLarge(1000));
    let just_fits = origin_sending(response("", &[b'x'; 1000])).await;
    assert_eq!(fetch(&just_fits, options).await.unwrap().body.len(), 1000);
}

#[tokio::test]
async fn url_length_is_limited_for_requests_and_redirects() {
    let options = HttpOptions { max_url_bytes: 100, ..HttpOptions::default() };
    let address = start_origin(|stream, head: String| async move {
        let length: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap_or_default();
        let host = head.split("host: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let root = format!("http://{host}/");
        let bytes = match length {
            0 => response("", b"media"),
            _ => format!("HTTP/1.1 302 Found\r\nLocation: {root}{}\r\n\r\n", "x".repeat(length - root.len())).into(),
        };
        send(stream, bytes).await;
    })
    .await;
    let url = |length: usize| format!("http://{address}/{:x<1$}", "0/", length - address.len() - 8);
    assert!(fetch(&url(100), options.clone()).await.is_ok());
    let FetchError::InvalidUrl(reason) = failure(&url(101), options.clone()).await else {
        panic!("a URL of 101 bytes was requested")
    };
    assert_eq!(reason, "it has 101 bytes, which is more than the limit of 100");

    assert!(fetch(&format!("http://{address}/100"), options.clone()).await.is_ok());
    let FetchError::Refused(reason) = failure(&format!("http://{address}/101"), options).await else {
        panic!("a redirect to a URL of 101 bytes was followed")
    };
    assert!(reason.contains("101 bytes"), "{reason}");
}

#[tokio::test]
async fn body_declared_as_a_page_is_refused_after_its_first_bytes() {
    let start = "<p>No such thing</p>".repeat(100);
    for page in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"] {
        let url = origin_stalling_after(format!("{OK_HEAD}Content-Type: {page}\r\nContent-Length: 100000\r\n\r\n{start}")).await;
        let error = failure(&url, HttpOptions::default()).await;
        assert_eq!(error, FetchError::UnacceptableType(format!("it is {}", page.to_ascii_lowercase())));
    }
}

#[tokio::test]
async fn unacceptable_declared_type_is_refused_before_the_body_arrives() {
    let url = origin_stalling_after(format!("{OK_HEAD}Content-Type: application/pdf\r\nContent-Length: 1000\r\n\r\n")).await;
    assert_eq!(failure(&url, types(&["image/*"])).await, FetchError::UnacceptableType("it is application/pdf".into()));
}

#[tokio::test]
async fn image_declared_as_a_page_is_accepted() {
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[7; 5000]].concat();
    let media = fetch(&origin_sending(response("Content-Type: text/html\r\n", &png)).await, HttpOptions::default()).await.unwrap();
    assert_eq!((media.mimetype.as_str(), media.filename.as_str()), ("image/png", "photo.png"));
}

#[tokio::test]
async fn page_detected_from_its_bytes_is_refused_regardless_of_its_declared_type() {
    let page = b"<!DOCTYPE html><title>Sign in</title>";
    let types_of_pages = ["image/png", "application/octet-stream", "text/plain", ""];
    for declared in types_of_pages.map(|mimetype| format!("Content-Type: {mimetype}\r\n")) {
        let error = failure(&origin_sending(response(&declared, page)).await, HttpOptions::default()).await;
        assert!(
            matches!(&error, FetchError::UnacceptableType(reason) if reason.ends_with("is text/html")),
            "{declared}: {error:?}"
        );
        assert!(fetch(&origin_sending(response(&declared, page)).await, types(&["*/*"])).await.is_ok());
    }
    let readme = response("Content-Type: text/plain\r\n", b"<h1 align=center>Name</h1>");
    assert!(fetch(&origin_sending(readme).await, HttpOptions::default()).await.is_ok());
}

#[tokio::test]
async fn accepted_types_are_configurable() {
    let (png, gif) = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a\x01\0\x01\0");
    let options = types(&["image/*", "!image/gif"]);
    assert!(fetch(&origin_sending(response("", png)).await, options.clone()).await.is_ok());
    for answer in [
        response("", gif),
        response("Content-Type: image/gif\r\n", b"who knows"),
        response("", b"words"),
        response("Content-Type: a/b\r\n", png),
    ] {
        let error = failure(&origin_sending(answer.clone()).await, options.clone()).await;
        assert!(matches!(error, FetchError::UnacceptableType(_)), "{}: {error:?}", answer.escape_ascii());
    }
    assert!(fetch(&origin_sending(response("Content-Type: text/html\r\n", b"<p>")).await, types(&["text/html"])).await.is_ok());
}
