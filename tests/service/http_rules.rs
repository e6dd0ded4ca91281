//! Requests that are ambiguous, by RFC 9112 or in the URL that they name, are refused: the service does not guess.

use http::Method;
use media_cache_test_support::http_client::{ADMIN_TOKEN, media_path, send};
use media_cache_test_support::images::png;
use media_cache_test_support::raw_client::RawClient;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// Sends bytes, and returns everything received until the service closes the connection.
async fn exchange(service: &Service, request: &str) -> String {
    let mut client = RawClient::connect(service).await;
    client.send(request).await;
    client.read_to_end().await
}

#[tokio::test]
async fn requests_that_rfc_9112_calls_errors_are_refused() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    let path = media_path(NOWHERE);
    for (head, status, why) in [
        (format!("GET {path}#x HTTP/1.1\r\nHost: x"), 400, "contains a fragment"),
        (format!("GET {path} HTTP/1.1\r\nAccept: */*"), 400, "no Host header"),
        (format!("GET {path} HTTP/1.1\r\nHost: x\r\nHost: x"), 400, "several Host headers"),
        (format!("GET {path} HTTP/1.1\r\nHost: x/y"), 400, "is not a valid host"),
        (
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked"),
            400,
            "repeated, or is not the last coding",
        ),
        (
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3"),
            400,
            "both a Content-Length and",
        ),
        (format!("GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615"), 413, "larger than anything"),
    ] {
        let said = exchange(&service, &format!("{head}\r\nConnection: close\r\n\r\n")).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains(why), "{head}: {said}");
        assert!(said.contains("\r\nx-content-type-options: nosniff\r\n"), "{said}");
    }
    let said = exchange(&service, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
    assert!(said.starts_with("HTTP/1.0 200 "), "HTTP/1.0 has no Host: {said}");
}

#[tokio::test]
async fn requests_before_a_refused_one_are_answered() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    // Larger than the buffers of the socket.
    let large = vec![7; 8 << 20];
    assert_eq!(service.put(NOWHERE, "application/octet-stream", large.clone()).await.status, 201);
    let get = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", media_path(NOWHERE));
    let said = exchange(&service, &[&get, &get, "GET /readyz#x HTTP/1.1\r\nHost: x\r\n\r\n", &get].concat()).await;
    let answers: Vec<&str> = said.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answers.iter().map(|answer| &answer[..3]).collect::<Vec<_>>(), ["200", "200", "400"]);
    assert!(answers[1].len() > large.len() && answers[2].contains("contains a fragment"));
}

#[tokio::test]
async fn request_pipelined_behind_a_malformed_one_is_not_answered() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let said = exchange(&service, "GET a b c HTTP/1.1\r\nHost: x\r\n\r\nGET /readyz#x HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 400 ") && said.matches("HTTP/1.1 ").count() == 1, "{said}");
}

#[tokio::test]
async fn an_encoded_upload_is_not_stored() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let put = |framing: &str, body: &str| {
        let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}\r\nContent-Type: image/png");
        format!("PUT {} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n{framing}\r\n\r\n{body}", media_path(NOWHERE))
    };
    for (framing, status) in [
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", 415),
        ("Transfer-Encoding: chunked\r\nContent-Encoding: aws-chunked", 415),
    ] {
        let said = exchange(&service, &put(framing, "3\r\nabc\r\n0\r\n\r\n")).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{framing}: {said}");
        assert!(!dir.holds(NOWHERE));
    }
    let said = exchange(&service, &put("Transfer-Encoding: Chunked", "3\r\nabc\r\n0\r\n\r\nGET /x#y HTTP/1.1\r\n\r\n")).await;
    assert!(said.starts_with("HTTP/1.1 201 ") && said.matches("HTTP/1.1 ").count() == 1, "{said}");
    assert!(said.contains("connection: close"), "nothing after a chunked body is treated as a request: {said}");
}

#[tokio::test]
async fn repeated_range_headers_are_ignored() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    let twice = service.media_request(Method::GET, NOWHERE).header("range", "bytes=0-1").header("range", "bytes=2-3");
    assert_eq!(send(twice).await.is("hit").body, png(1));
}

#[tokio::test]
async fn query_values_that_are_not_utf8_are_refused() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for (method, path) in [
        (Method::GET, "/media?url=https%3A%2F%2Fnowhere.invalid%2F%FF.png"),
        (Method::HEAD, "/media?url=https%3A%2F%2Fnowhere.invalid%2F%C3.png"),
        (Method::PUT, "/media?url=https%3A%2F%2Fnowhere.invalid%2F%ED%A0%80.png"),
        (Method::PUT, "/media?url=https%3A%2F%2Fnowhere.invalid%2Fa.png&filename=%E4.png"),
        (Method::DELETE, "/media?url=https%3A%2F%2Fnowhere.invalid%2F%FF.png"),
        (Method::PUT, "/policy?name=gdsf&beta=%FF"),
        (Method::PUT, "/policy?name=%FF"),
        (Method::GET, "/entries?limit=%FF"),
    ] {
        let answer = send(service.request(method.clone(), path).body(if method == Method::PUT { "x" } else { "" })).await;
        assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text());
        assert!(method == Method::HEAD || answer.problem(400).contains("not UTF-8"), "{method} {path}: {}", answer.text());
    }
    assert_eq!(dir.disk_usage(), 0);
}
