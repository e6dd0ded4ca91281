//! Answers that end elsewhere than they say.

use tokio::sync::watch;

use super::*;

const LATER: Duration = Duration::from_millis(20);

/// An origin that answers every request with these pieces, a moment between them, and then says nothing until the other side leaves.
async fn in_pieces(pieces: &'static [&'static str]) -> String {
    let answer = move |mut stream: TcpStream, _| async move {
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                tokio::time::sleep(LATER).await;
            }
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
        }
        while stream.read_u8().await.is_ok() {}
    };
    format!("http://{}/a/photo?token=secret", origin(answer).await)
}

async fn expect_overlong(pieces: &'static [&'static str]) {
    let error = failure(&in_pieces(pieces).await, HttpOptions::default()).await;
    assert!(matches!(error, FetchError::OverlongBody(_)), "{pieces:?}: {error:?}");
}

async fn expect_broken_answer(answer: impl Into<Vec<u8>>, because: &str) {
    match failure(&stalling(answer).await, HttpOptions::default()).await {
        FetchError::BrokenAnswer(reason) if reason.contains(because) => {}
        other => panic!("not a broken answer because of {because}: {other:?}"),
    }
}

#[tokio::test]
async fn more_than_was_announced_is_an_error_however_it_comes() {
    expect_overlong(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\nContent-Length: 4\n\nbody!"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody!"]).await;
    expect_overlong(&["HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_overlong(&["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody!"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "body!"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbod", "y!"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n!"]).await;
    expect_overlong(&["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", "0\r\nA: b\r\n\r\n!"]).await;
}

#[tokio::test]
async fn a_large_body_that_is_too_long_by_a_byte_is_an_error() {
    // Larger than any buffer on the way.
    let body = "x".repeat(3 << 20);
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert!(fetch(&stalling(answer.clone()).await, HttpOptions::default()).await.is_ok());
    answer.push('!');
    let mut first = answer.clone();
    let rest = first.split_off(answer.len() - 2);
    let address = origin(move |mut stream, _| {
        let (first, rest) = (first.clone(), rest.clone());
        async move {
            stream.write_all(first.as_bytes()).await.unwrap();
            stream.write_all(rest.as_bytes()).await.unwrap();
            while stream.read_u8().await.is_ok() {}
        }
    })
    .await;
    let error = failure(&format!("http://{address}/"), HttpOptions::default()).await;
    assert!(matches!(error, FetchError::OverlongBody(_)), "{error:?}");
}

#[tokio::test]
async fn trailers_are_part_of_the_body_and_are_left_out() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nExpires: never\r\n\r\n";
    let download = fetch(&stalling(chunked).await, HttpOptions::default()).await.unwrap();
    assert_eq!(download.body.in_memory().unwrap(), "body");
}

#[tokio::test]
async fn what_comes_too_late_for_one_request_is_no_answer_to_the_next() {
    let (go, going) = watch::channel(false);
    let (gone, mut went) = mpsc::unbounded_channel();
    let address = origin(move |mut stream, head: String| {
        let (mut going, gone) = (going.clone(), gone.clone());
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").await.unwrap();
            if head.starts_with("GET /two") {
                return;
            }
            going.wait_for(|go| *go).await.unwrap();
            send(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".into()).await;
            gone.send(()).unwrap();
        }
    })
    .await;
    let downloader = HttpDownloader::new(locally(HttpOptions::default())).unwrap();
    let fetched = async |path: &str| downloader.fetch(&format!("http://{address}{path}")).await.unwrap();
    assert_eq!(fetched("/one").await.body.in_memory().unwrap(), "body");
    // The next request is on its way by then.
    let late = async {
        go.send(true).unwrap();
        went.recv().await.unwrap();
    };
    let (next, ()) = futures::future::join(fetched("/two"), late).await;
    assert_eq!(next.body.in_memory().unwrap(), "body");
}

#[tokio::test]
async fn an_answer_that_is_no_http_or_too_much_of_it_is_broken() {
    expect_broken_answer("220 mail.example.org ESMTP\r\n", "HTTP").await;
    expect_broken_answer("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", "header").await;
    expect_broken_answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody", "content-length").await;
    expect_broken_answer("HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nbody", "content-length").await;
    expect_broken_answer(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "in two ways",
    )
    .await;
    expect_broken_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmore\r\nbody\r\n0\r\n\r\n", "chunk size").await;
    let extensions = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;{}\r\nbody\r\n0\r\n\r\n", "x".repeat(100_000));
    expect_broken_answer(extensions, "extensions").await;
    expect_broken_answer(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101)), "too large").await;
    expect_broken_answer(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(64 << 10)), "65536 bytes").await;
    expect_broken_answer(format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(64 << 10)), "65536 bytes").await;
    expect_broken_answer("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n".repeat(3000), "65536 bytes").await;
}

#[tokio::test]
async fn headers_up_to_the_limit_are_taken() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nA: ";
    let answer = format!("{head}{}\r\n\r\nbody", "x".repeat((64 << 10) - head.len() - 4));
    assert!(fetch(&stalling(answer).await, HttpOptions::default()).await.is_ok());
    let many = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n{}\r\nbody", "A: b\r\n".repeat(99));
    assert!(fetch(&stalling(many).await, HttpOptions::default()).await.is_ok());
}
