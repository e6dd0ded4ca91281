//! The HTTP downloader against origins that follow a script, good manners or not. Every origin has a port of its own, and ends with
//! the runtime of its test.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::header::{USER_AGENT, VIA};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;

mod framing;
mod http2;
mod limits;
mod requests;

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
const TINY: Duration = Duration::from_millis(50);

/// Starts an origin that gives each request, with its head, to `handle`; returns its address.
async fn origin<F, Fut>(handle: F) -> String
where
    F: Fn(TcpStream, String) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let handle = handle.clone();
            tokio::spawn(async move {
                if let Some(head) = next_head(&mut stream).await {
                    handle(stream, head).await;
                }
            });
        }
    });
    address
}

/// Reads the head of a request, unless the other side leaves.
async fn next_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// An origin that answers every request with these bytes, and then closes the connection.
async fn answering(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let address = origin(move |stream, _| send(stream, bytes.clone())).await;
    format!("http://{address}/a/photo?token=secret")
}

/// An origin that answers every request with these bytes, and then says nothing until the other side leaves.
async fn stalling(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    let answer = move |mut stream: TcpStream, _| {
        let bytes = bytes.clone();
        async move {
            stream.write_all(&bytes).await.unwrap();
            while stream.read_u8().await.is_ok() {}
        }
    };
    format!("http://{}/a/photo?token=secret", origin(answer).await)
}

async fn send(mut stream: TcpStream, bytes: Vec<u8>) {
    // The downloader may hang up on an answer it does not want.
    let _ = stream.write_all(&bytes).await;
}

/// A whole answer with this body.
fn whole(headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("{OK}{headers}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// These options, and leave to fetch from this machine.
fn locally(options: HttpOptions) -> HttpOptions {
    let allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    HttpOptions { access: AccessRules { allow_addresses, ..options.access }, ..options }
}

async fn fetch(url: &str, options: HttpOptions) -> Result<Download, FetchError> {
    let result = HttpDownloader::new(locally(options)).unwrap().fetch(url).await;
    if let Err(error) = &result {
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    result
}

async fn failure(url: &str, options: HttpOptions) -> FetchError {
    fetch(url, options).await.map(|download| download.filename).unwrap_err()
}

async fn expect_broken(url: String, because: &str) {
    match failure(&url, HttpOptions::default()).await {
        error if error.to_string().contains(because) => {}
        other => panic!("not broken because of {because}: {other:?}"),
    }
}

async fn expect_timeout(url: &str, options: HttpOptions, phase: &str) {
    match failure(url, options).await {
        FetchError::TimedOut(reason) if reason.contains(phase) => {}
        other => panic!("no timeout of {phase}: {other:?}"),
    }
}

#[tokio::test]
async fn a_download_is_the_body_its_type_and_its_name() {
    let url = answering(whole("Content-Type: text/PLAIN; charset=UTF-8\r\n", b"words")).await;
    let download = fetch(&url, HttpOptions::default()).await.unwrap();
    assert_eq!(download.body.in_memory().unwrap(), "words");
    assert_eq!((download.mimetype.as_str(), download.filename.as_str()), ("text/plain; charset=utf-8", "photo.txt"));

    let url = answering(whole("Content-Disposition: inline; filename*=UTF-8''%E2%82%AC\r\n", b"GIF89a\x01\0")).await;
    let download = fetch(&url, HttpOptions::default()).await.unwrap();
    assert_eq!((download.mimetype.as_str(), download.filename.as_str()), ("image/gif", "€.gif"));

    let chunked = format!("{OK}Transfer-Encoding: chunked\r\nContent-Encoding: Identity\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    let download = fetch(&answering(chunked).await, HttpOptions::default()).await.unwrap();
    assert_eq!(download.body.in_memory().unwrap(), "onetwo");
}

#[tokio::test]
async fn redirects_are_followed_up_to_a_limit_and_tell_the_next_origin_nothing() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let countdown = move |stream, head: String| {
        heads.send(head.clone()).unwrap();
        let left: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        let status = [0, 301, 302, 303, 307, 308, 302][left];
        let answer = match left {
            0 => whole("", b"there"),
            left => {
                format!("HTTP/1.1 {status} Go\r\nConnection: close\r\nSet-Cookie: a=b\r\nLocation: {}\r\n\r\n", left - 1).into()
            }
        };
        send(stream, answer)
    };
    let address = origin(countdown).await;

    let download = fetch(&format!("http://{address}/5"), HttpOptions::default()).await.unwrap();
    assert_eq!((download.body.in_memory().unwrap().as_ref(), download.filename.as_str()), (&b"there"[..], "0"));
    for left in (0..=5).rev() {
        let head = asked.recv().await.unwrap().to_ascii_lowercase();
        assert!(head.starts_with(&format!("get /{left} http/1.1\r\n")), "{head}");
        assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
        assert!(!["cookie:", "referer:", "authorization:"].iter().any(|secret| head.contains(secret)), "{head}");
    }

    assert_eq!(failure(&format!("http://{address}/6"), HttpOptions::default()).await, FetchError::TooManyRedirects(5));
    let none = HttpOptions { max_redirects: 0, ..HttpOptions::default() };
    assert_eq!(failure(&format!("http://{address}/1"), none).await, FetchError::TooManyRedirects(0));
}

#[tokio::test]
async fn a_redirect_out_of_http_is_refused() {
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/"] {
        let url = answering(format!("HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {location}\r\n\r\n")).await;
        assert!(matches!(failure(&url, HttpOptions::default()).await, FetchError::Refused(_)), "{location}");
    }
}

#[tokio::test]
async fn nobody_is_connected_to_who_is_not_at_a_public_address() {
    let (heads, mut asked) = mpsc::unbounded_channel();
    let tell = move |stream, head: String| {
        heads.send(head).unwrap();
        send(stream, whole("", b"inside"))
    };
    let address = origin(tell).await;
    let port = address.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "a.localhost.", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{port}/?secret");
        let error = HttpDownloader::new(HttpOptions::default()).unwrap().fetch(&url).await.unwrap_err();
        assert!(matches!(&error, FetchError::Refused(reason) if !reason.contains("secret")), "{host}: {error:?}");
    }
    assert!(asked.try_recv().is_err());
    // It would have answered.
    fetch(&format!("http://{address}/"), HttpOptions::default()).await.unwrap();
    assert!(asked.try_recv().is_ok());
}

#[tokio::test]
async fn every_status_but_ok_is_a_failure_of_its_own() {
    let unavailable = |retry_after_seconds| FetchError::Unavailable { retry_after_seconds };
    let table = [
        ("404 Not Found\r\n", FetchError::NotFound),
        ("410 Gone\r\n", FetchError::Gone),
        ("500 Internal Server Error\r\n", FetchError::OriginStatus(500)),
        ("403 Forbidden\r\n", FetchError::OriginStatus(403)),
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
        let url = answering(format!("HTTP/1.1 {head}Connection: close\r\n\r\n")).await;
        assert_eq!(failure(&url, HttpOptions::default()).await, expected, "{head}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_whole_media_as_it_is_is_broken() {
    let part = "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Range: bytes 0-2/6\r\nContent-Length: 3\r\n\r\none";
    expect_broken(answering(part).await, "a part").await;
    expect_broken(answering(whole("Content-Encoding: gzip\r\n", b"one")).await, "gzip").await;
    expect_broken(answering(whole("Content-Encoding: identity, br\r\n", b"one")).await, "br").await;
    let coded = format!("{OK}Transfer-Encoding: gzip, chunked\r\n\r\n3\r\none\r\n0\r\n\r\n");
    expect_broken(answering(coded).await, "gzip").await;
    expect_broken(answering(format!("{OK}Content-Length: 6\r\n\r\none")).await, "after 3 bytes").await;
    expect_broken(answering(format!("{OK}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")).await, "after 3 bytes").await;
    expect_broken(answering(format!("{OK}Transfer-Encoding: chunked\r\n\r\n3\r\non")).await, "after 2 bytes").await;
    expect_broken(answering(format!("{OK}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).await, "empty").await;
    expect_broken(answering(whole("", b"")).await, "empty").await;
    expect_broken(answering(format!("{OK}\r\n")).await, "empty").await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_given_up_on_before_it_ends() {
    let options = HttpOptions { max_body_bytes: 1000, ..HttpOptions::default() };
    let announced = stalling(format!("{OK}Content-Length: 1001\r\n\r\n")).await;
    assert_eq!(failure(&announced, options.clone()).await, FetchError::TooLarge { limit: 1000 });
    let streamed = stalling(format!("{OK}\r\n{}", "x".repeat(1001))).await;
    assert_eq!(failure(&streamed, options.clone()).await, FetchError::TooLarge { limit: 1000 });
    let just_fits = answering(whole("", &[b'x'; 1000])).await;
    assert_eq!(fetch(&just_fits, options).await.unwrap().body.len(), 1000);
}

#[tokio::test]
async fn each_phase_has_its_own_timeout() {
    let patient = HttpOptions { total_timeout: Duration::from_secs(20), ..HttpOptions::default() };
    let options = HttpOptions { connect_timeout: TINY, ..patient.clone() };
    // The origin waits for the end of a request, and gets the beginning of a TLS handshake.
    let address = origin(|stream, _| send(stream, Vec::new())).await;
    expect_timeout(&format!("https://{address}/"), options, "connecting").await;

    let options = HttpOptions { first_byte_timeout: TINY, ..patient.clone() };
    expect_timeout(&stalling("HTTP/1.1 200 OK\r\n").await, options, "answer").await;

    let options = HttpOptions { idle_timeout: TINY, ..patient };
    expect_timeout(&stalling(format!("{OK}Content-Length: 6\r\n\r\none")).await, options, "nothing of the body").await;
}

#[tokio::test]
async fn an_origin_that_drips_is_given_up_on_in_the_end() {
    let (received, more) = mpsc::unbounded_channel();
    let more = Arc::new(tokio::sync::Mutex::new(more));
    // Each byte is sent when the one before it has been counted, so that there is never a pause and never an end.
    let drip = move |mut stream: TcpStream, _| {
        let more = more.clone();
        async move {
            stream.write_all(format!("{OK}\r\nx").as_bytes()).await.unwrap();
            while more.lock().await.recv().await.is_some() && stream.write_all(b"x").await.is_ok() {}
        }
    };
    let url = format!("http://{}/", origin(drip).await);
    let progress: Progress = Arc::new(move |_, _| received.send(()).unwrap());
    let options =
        HttpOptions { total_timeout: 4 * TINY, max_body_bytes: 1_000_000, progress: Some(progress), ..HttpOptions::default() };
    expect_timeout(&url, options, "not done").await;
}

#[tokio::test]
async fn an_origin_that_cannot_be_talked_to_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let silent = origin(|stream, _| async { drop(stream) }).await;
    for url in [&format!("http://{address}/?secret"), &format!("http://{silent}/?secret")] {
        let error = failure(url, HttpOptions::default()).await;
        assert!(matches!(&error, FetchError::Unreachable(reason) if reason.contains("127.0.0.1")), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_asked_for_is_not() {
    let too_long = format!("http://127.0.0.1/?secret{}", "x".repeat(70_000));
    for url in ["file:///etc/secret", "not a URL: secret", "http://user:secret@127.0.0.1/", &too_long] {
        assert!(matches!(failure(url, HttpOptions::default()).await, FetchError::InvalidUrl(_)), "{url}");
    }
}

#[tokio::test]
async fn a_large_body_goes_to_a_file_without_a_name_and_is_the_same() {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let url = answering(whole("", &sent)).await;
    let dir = tempfile::tempdir().unwrap();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = counts.clone();
    let progress: Progress = Arc::new(move |received, total| seen.lock().unwrap().push((received, total)));
    let options = HttpOptions {
        spool_above: sent.len() as u64 - 1,
        spool_dir: Some(dir.path().to_owned()),
        progress: Some(progress),
        ..HttpOptions::default()
    };

    let spooled = fetch(&url, options.clone()).await.unwrap().body;
    assert!(spooled.in_memory().is_none());
    assert_eq!(spooled.digest().await.unwrap()[..], Sha256::digest(&sent)[..]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let counted = std::mem::take(&mut *counts.lock().unwrap());
    assert!(counted.is_sorted() && counted.len() > 1, "{counted:?}");
    assert_eq!(counted.last(), Some(&(sent.len() as u64, Some(sent.len() as u64))));

    let held = fetch(&url, HttpOptions { spool_above: sent.len() as u64, ..options.clone() }).await.unwrap().body;
    assert_eq!(held.in_memory().unwrap(), &sent);

    let small = fetch(&answering(whole("", b"GIF89a\x01\0")).await, HttpOptions { spool_above: 0, ..options }).await.unwrap();
    assert!(small.body.in_memory().is_none());
    assert_eq!((small.body.bytes().await.unwrap(), small.mimetype.as_str()), ((&b"GIF89a\x01\0"[..]).into(), "image/gif"));
}

#[test]
fn options_that_cannot_work_are_found_before_the_first_download() {
    let missing = HttpOptions { spool_dir: Some("/nonexistent/spool".into()), ..HttpOptions::default() };
    assert!(
        matches!(HttpDownloader::new(missing), Err(HttpSetupError::SpoolDir(dir, _)) if dir == Path::new("/nonexistent/spool"))
    );
    let split = HttpOptions { user_agent: "two\r\nlines".into(), ..HttpOptions::default() };
    assert!(matches!(HttpDownloader::new(split), Err(HttpSetupError::Header(USER_AGENT, _))));
    let split = HttpOptions { via: Some("two\r\nlines".into()), ..HttpOptions::default() };
    assert!(matches!(HttpDownloader::new(split), Err(HttpSetupError::Header(VIA, _))));
}
