//! How far downloads go.

use super::*;

fn types(patterns: &[&str]) -> HttpOptions {
    let accept_types = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    HttpOptions { accept_types, ..HttpOptions::default() }
}

#[tokio::test]
async fn a_url_has_a_longest_length_and_so_has_that_of_a_redirect() {
    let options = HttpOptions { max_url_bytes: 100, ..HttpOptions::default() };
    let address = origin(|stream, head: String| async move {
        let length: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap_or_default();
        let host = head.split("host: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let there = format!("http://{host}/");
        let answer = match length {
            0 => whole("", b"there"),
            _ => format!("HTTP/1.1 302 Found\r\nLocation: {there}{}\r\n\r\n", "x".repeat(length - there.len())).into(),
        };
        send(stream, answer).await;
    })
    .await;
    let url = |length: usize| format!("http://{address}/{:x<1$}", "0/", length - address.len() - 8);
    assert!(fetch(&url(100), options.clone()).await.is_ok());
    let FetchError::InvalidUrl(why) = failure(&url(101), options.clone()).await else { panic!("101 bytes were asked for") };
    assert_eq!(why, "it has 101 bytes, which is more than the limit of 100");

    assert!(fetch(&format!("http://{address}/100"), options.clone()).await.is_ok());
    let FetchError::Refused(why) = failure(&format!("http://{address}/101"), options).await else { panic!("101 were followed") };
    assert!(why.contains("101 bytes"), "{why}");
}

#[tokio::test]
async fn a_body_that_comes_in_drops_is_given_up_on() {
    let drip = move |mut stream: TcpStream, _| async move {
        stream.write_all(format!("{OK}\r\n").as_bytes()).await.unwrap();
        let mut drops = tokio::time::interval(Duration::from_millis(5));
        while stream.write_all(b"x").await.is_ok() {
            drops.tick().await;
        }
    };
    let url = format!("http://{}/", origin(drip).await);
    let slow = HttpOptions { min_bytes_per_second: 10_000, rate_window: 2 * TINY, ..HttpOptions::default() };
    expect_timeout(&url, slow, "too slowly").await;
}

#[tokio::test]
async fn what_is_said_to_be_a_page_is_refused_before_its_body_comes() {
    for page in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"] {
        let url = stalling(format!("{OK}Content-Type: {page}\r\nContent-Length: 1000\r\n\r\n")).await;
        let error = failure(&url, HttpOptions::default()).await;
        let said = page.to_ascii_lowercase();
        assert_eq!(error, FetchError::UnacceptableType(format!("it is {said}")));
    }
}

#[tokio::test]
async fn what_looks_like_a_page_is_refused_whatever_it_is_said_to_be() {
    let page = b"<!DOCTYPE html><title>Sign in</title>";
    for said in ["Content-Type: image/png\r\n", "Content-Type: application/octet-stream\r\n", ""] {
        let error = failure(&answering(whole(said, page)).await, HttpOptions::default()).await;
        assert!(matches!(&error, FetchError::UnacceptableType(why) if why.ends_with("is text/html")), "{said}: {error:?}");
        assert!(fetch(&answering(whole(said, page)).await, types(&["*/*"])).await.is_ok());
    }
    assert!(fetch(&answering(whole("Content-Type: text/plain\r\n", page)).await, HttpOptions::default()).await.is_ok());
}

#[tokio::test]
async fn the_types_that_are_taken_can_be_chosen() {
    let (png, gif) = (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a\x01\0\x01\0");
    let options = types(&["image/*", "!image/gif"]);
    assert!(fetch(&answering(whole("", png)).await, options.clone()).await.is_ok());
    for answer in
        [whole("", gif), whole("Content-Type: image/gif\r\n", png), whole("", b"words"), whole("Content-Type: a/b\r\n", png)]
    {
        let error = failure(&answering(answer.clone()).await, options.clone()).await;
        assert!(matches!(error, FetchError::UnacceptableType(_)), "{}: {error:?}", answer.escape_ascii());
    }
    assert!(fetch(&answering(whole("Content-Type: text/html\r\n", b"<p>")).await, types(&["text/html"])).await.is_ok());
}
