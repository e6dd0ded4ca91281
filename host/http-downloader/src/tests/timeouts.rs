//! Origins that are too slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::options::{HttpOptions, Progress};
use crate::tests::origin::{OK_HEAD, SHORT, expect_timeout, origin_stalling_after, send, start_origin};

#[tokio::test]
async fn each_phase_has_its_own_timeout() {
    let patient = HttpOptions { download_timeout: Duration::from_secs(20), ..HttpOptions::default() };
    let options = HttpOptions { connect_timeout: SHORT, ..patient.clone() };
    // The origin waits for the end of a request, but receives a TLS handshake.
    let address = start_origin(|stream, _| send(stream, Vec::new())).await;
    expect_timeout(&format!("https://{address}/"), options, "connecting").await;

    let options = HttpOptions { first_byte_timeout: SHORT, ..patient.clone() };
    expect_timeout(&origin_stalling_after("HTTP/1.1 200 OK\r\n").await, options, "respond").await;

    let options = HttpOptions { pause_timeout: SHORT, ..patient };
    expect_timeout(&origin_stalling_after(format!("{OK_HEAD}Content-Length: 6\r\n\r\none")).await, options, "no body data").await;
}

#[tokio::test]
async fn slow_but_steady_body_fails_at_the_download_timeout() {
    let (received, next) = mpsc::unbounded_channel();
    let next = Arc::new(tokio::sync::Mutex::new(next));
    // Each byte is sent once the previous one has been received, so there is neither a pause nor an end.
    let drip = move |mut stream: TcpStream, _| {
        let next = next.clone();
        async move {
            stream.write_all(format!("{OK_HEAD}\r\nx").as_bytes()).await.unwrap();
            while next.lock().await.recv().await.is_some() && stream.write_all(b"x").await.is_ok() {}
        }
    };
    let url = format!("http://{}/", start_origin(drip).await);
    let progress: Progress = Arc::new(move |_, _| received.send(()).unwrap());
    let options =
        HttpOptions { download_timeout: 4 * SHORT, max_body_bytes: 1_000_000, progress: Some(progress), ..HttpOptions::default() };
    expect_timeout(&url, options, "did not finish").await;
}

#[tokio::test]
async fn download_below_the_minimum_rate_is_aborted() {
    let drip = move |mut stream: TcpStream, _| async move {
        stream.write_all(format!("{OK_HEAD}\r\n").as_bytes()).await.unwrap();
        let mut interval = tokio::time::interval(Duration::from_millis(5));
        while stream.write_all(b"x").await.is_ok() {
            interval.tick().await;
        }
    };
    let url = format!("http://{}/", start_origin(drip).await);
    let slow = HttpOptions { min_rate: 10_000, min_rate_window: 2 * SHORT, ..HttpOptions::default() };
    expect_timeout(&url, slow, "too slowly").await;
}
