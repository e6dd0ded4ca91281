//! Bodies that are read while they arrive.

use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::http_downloader::HttpDownloader;
use crate::limiter_options::LimiterOptions;
use crate::options::HttpOptions;
use crate::tests::origin::{OK_HEAD, SHORT, allowing_loopback, start_origin};
use media_cache_interfaces::{Blob, Downloader, FetchError, FetchedMedia, Validators};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// The next action of the origin on its only connection.
enum Next {
    Send(Vec<u8>),
    Close,
    /// Waits until the downloader has disconnected, and reports this.
    Disconnected,
}

/// An origin that sends the data that the test passes to it.
struct Origin {
    url: String,
    next: mpsc::UnboundedSender<Next>,
    done: mpsc::UnboundedReceiver<()>,
}

impl Origin {
    async fn start() -> Self {
        let (next, steps) = mpsc::unbounded_channel();
        let (tell, done) = mpsc::unbounded_channel();
        let steps = std::sync::Arc::new(tokio::sync::Mutex::new(steps));
        let address = start_origin(move |mut stream: TcpStream, _| {
            let (steps, tell) = (steps.clone(), tell.clone());
            async move {
                while let Some(step) = steps.lock().await.recv().await {
                    match step {
                        Next::Send(bytes) => stream.write_all(&bytes).await.unwrap(),
                        Next::Close => return,
                        Next::Disconnected => {
                            while tokio::io::AsyncReadExt::read_u8(&mut stream).await.is_ok() {}
                            tell.send(()).unwrap();
                        }
                    }
                }
            }
        });
        Self { url: format!("http://{}/a.png", address.await), next, done }
    }

    fn send(&self, bytes: impl Into<Vec<u8>>) {
        self.next.send(Next::Send(bytes.into())).unwrap();
    }

    fn send_head(&self, headers: &str) {
        self.send(format!("{OK_HEAD}{headers}\r\n"));
    }

    async fn fetch(&self, options: HttpOptions) -> Result<FetchedMedia, FetchError> {
        HttpDownloader::new(allowing_loopback(options)).unwrap().fetch(&self.url).await
    }
}

/// An image of this many bytes.
fn picture(length: usize) -> Vec<u8> {
    let mut bytes = PNG.to_vec();
    bytes.resize(length, 7);
    bytes
}

/// Reads this many bytes from the start of a body that is arriving.
async fn read(body: &Blob, count: usize) -> Vec<u8> {
    let mut chunks = std::pin::pin!(body.stream(0..count as u64));
    let mut read = Vec::new();
    while let Some(chunk) = chunks.next().await {
        read.extend_from_slice(&chunk.unwrap());
    }
    read
}

#[tokio::test]
async fn body_is_readable_while_it_arrives_in_memory_or_in_a_file() {
    for (spool_above, announced) in [(1 << 20, true), (0, true), (20_000, true), (1 << 20, false)] {
        let origin = Origin::start().await;
        let sent = picture(300_000);
        origin.send_head(&if announced { "Content-Length: 300000\r\n".to_owned() } else { String::new() });
        origin.send(&sent[..100_000]);
        let media = origin.fetch(HttpOptions { spool_above, ..HttpOptions::default() }).await.unwrap();
        assert_eq!((media.mimetype.as_str(), media.filename.as_str()), ("image/png", "a.png"));
        assert!(media.body.is_arriving() && media.body.in_memory().is_none());
        assert_eq!(media.body.expected_len(), announced.then_some(300_000));
        assert_eq!(read(&media.body, 100_000).await, sent[..100_000], "spool above {spool_above}");
        assert_eq!(media.body.head(20).unwrap(), sent[..20]);
        let whole = media.body.bytes();
        origin.send(&sent[100_000..]);
        origin.next.send(Next::Close).unwrap();
        assert_eq!(whole.await.unwrap(), sent);
        assert_eq!(media.body.in_memory().is_some(), spool_above == 1 << 20);
        assert_eq!((media.body.len(), media.body.is_arriving()), (300_000, false));
        assert!(media.body.known_digest().is_some(), "the digest was computed as the body arrived");
    }
}

#[tokio::test]
async fn type_of_a_slow_body_is_decided_one_second_after_the_first_byte() {
    let origin = Origin::start().await;
    origin.send_head("Content-Length: 5000\r\n");
    origin.send(picture(1000));
    let begun = Instant::now();
    let media = origin.fetch(HttpOptions::default()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
    assert_eq!((media.mimetype.as_str(), media.body.len()), ("image/png", 1000));
    origin.send([7; 4000]);
    assert_eq!(media.body.bytes().await.unwrap(), picture(5000));
}

/// Two frames of MPEG audio. The first one alone is not enough to be certain of the type.
fn mp3() -> Vec<u8> {
    [b"\xff\xfb\x90\x64".as_slice(), &[0; 413]].concat().repeat(2)
}

#[tokio::test]
async fn type_is_decided_by_more_bytes_if_they_can_change_it() {
    let origin = Origin::start().await;
    origin.send_head("Content-Type: image/png\r\nContent-Length: 5000\r\n");
    let frames = mp3();
    origin.send(&frames[..400]);
    let downloader = HttpDownloader::new(allowing_loopback(HttpOptions::default())).unwrap();
    let mut fetch = downloader.fetch(&origin.url);
    assert!(timeout(Duration::from_millis(1100), &mut fetch).await.is_err(), "the type is not known yet");
    origin.send(&frames[400..]);
    let media = fetch.await.unwrap();
    assert_eq!((media.mimetype.as_str(), media.body.is_arriving()), ("audio/mpeg", true));
}

#[tokio::test]
async fn markup_gifs_and_conditional_downloads_are_returned_only_once_complete() {
    let markup = [b"<!-- ".as_slice(), &[b'x'; 1000]].concat();
    let gif = [b"GIF89a".as_slice(), &[7; 9000]].concat();
    for (headers, start, is_conditional) in
        [("Content-Type: image/svg+xml\r\n", markup, false), ("", gif, false), ("", picture(9000), true)]
    {
        let origin = Origin::start().await;
        origin.send_head(&format!("{headers}Content-Length: 10000\r\n"));
        let rest = vec![b' '; 10_000 - start.len()];
        origin.send(start);
        let downloader = HttpDownloader::new(allowing_loopback(HttpOptions::default())).unwrap();
        let validators = Validators::default();
        let mut fetch = match is_conditional {
            false => downloader.fetch(&origin.url),
            true => downloader.fetch_if_changed(&origin.url, &validators).map(|_| Err(FetchError::NotFound)).boxed(),
        };
        // Longer than the type of a body may remain undecided.
        assert!(timeout(Duration::from_millis(1100), &mut fetch).await.is_err(), "{headers}");
        origin.send(rest);
        match fetch.await {
            Ok(media) => assert_eq!((media.body.is_arriving(), media.body.len()), (false, 10_000)),
            Err(error) => assert!(is_conditional && error == FetchError::NotFound, "{error}"),
        }
    }
}

#[tokio::test]
async fn failure_after_the_media_was_returned_ends_the_body_early() {
    let stalled: fn(&FetchError) -> bool = |error| matches!(error, FetchError::TimedOut(_));
    let too_large: fn(&FetchError) -> bool = |error| *error == FetchError::TooLarge(20_000);
    let short: fn(&FetchError) -> bool = |error| matches!(error, FetchError::ShortBody(_));
    let overlong: fn(&FetchError) -> bool = |error| matches!(error, FetchError::OverlongBody(_));
    let pause = HttpOptions { pause_timeout: SHORT, ..HttpOptions::default() };
    let time = HttpOptions { download_timeout: Duration::from_millis(200), ..HttpOptions::default() };
    let size = HttpOptions { max_body_bytes: 20_000, ..HttpOptions::default() };
    let length = "Content-Length: 15000\r\n";
    for (options, headers, rest, expected) in [
        (pause, length, None, stalled),
        (time, length, None, stalled),
        (size, "", Some(vec![7; 30_000]), too_large),
        (HttpOptions::default(), length, Some(vec![7; 100]), short),
        (HttpOptions::default(), length, Some(vec![7; 5001]), overlong),
    ] {
        let origin = Origin::start().await;
        origin.send_head(headers);
        origin.send(picture(10_000));
        let media = origin.fetch(options).await.unwrap();
        let body = media.body.clone();
        let reader = tokio::spawn(async move {
            let mut chunks = std::pin::pin!(body.stream(0..u64::MAX));
            let mut count = 0;
            loop {
                match chunks.next().await {
                    Some(Ok(chunk)) => count += chunk.len(),
                    Some(Err(_)) => return Some(count),
                    None => return None,
                }
            }
        });
        if let Some(rest) = rest {
            origin.send(rest);
            origin.next.send(Next::Close).unwrap();
        }
        let failure = media.body.finished().await.unwrap_err();
        assert!(expected(&failure), "{failure:?}");
        assert_eq!(media.body.failure(), Some(failure));
        let read = reader.await.unwrap().expect("an error at the end");
        assert!((1..15_000).contains(&read) || headers.is_empty(), "{read} bytes were read before the error");
        assert!(media.body.digest().await.is_err() && media.body.head(1).is_err());
    }
}

#[tokio::test]
async fn download_ends_when_its_body_has_no_readers_left() {
    let mut origin = Origin::start().await;
    origin.send_head("Content-Length: 15000\r\n");
    origin.send(picture(10_000));
    let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
    let media = origin.fetch(HttpOptions { limiter: Some(limiter.clone()), ..HttpOptions::default() }).await.unwrap();
    assert!(!limiter.is_idle());
    let completion = media.body.completion().unwrap();
    drop(media);
    origin.next.send(Next::Disconnected).unwrap();
    origin.done.recv().await.unwrap();
    assert!(completion.wait().await.is_err());
    assert!(limiter.is_idle());
}

#[tokio::test]
async fn closed_limiter_ends_bodies_that_are_arriving() {
    let origin = Origin::start().await;
    origin.send_head("Content-Length: 15000\r\n");
    origin.send(picture(10_000));
    let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
    let media = origin.fetch(HttpOptions { limiter: Some(limiter.clone()), ..HttpOptions::default() }).await.unwrap();
    limiter.close();
    assert_eq!(media.body.finished().await, Err(FetchError::Overloaded(None)));
}
