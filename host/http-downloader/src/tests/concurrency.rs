//! The limits on concurrent downloads, with real connections.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::future::{join, join_all};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::http_downloader::HttpDownloader;
use crate::limiter_options::LimiterOptions;
use crate::options::HttpOptions;
use crate::tests::origin::{allowing_loopback, response, send, start_origin};
use media_cache_interfaces::Downloader;

fn limited(per_address: usize) -> (HttpDownloader, ConcurrencyLimiter) {
    let max_downloads_per_address = NonZeroUsize::new(per_address).unwrap();
    let limiter = ConcurrencyLimiter::new(LimiterOptions { max_downloads_per_address, ..LimiterOptions::default() });
    let options = HttpOptions { limiter: Some(limiter.clone()), ..HttpOptions::default() };
    (HttpDownloader::new(allowing_loopback(options)).unwrap(), limiter)
}

/// An origin that reports the path of each request, and responds to `/held` only once the test releases it.
async fn holding_origin() -> (String, mpsc::UnboundedReceiver<String>, watch::Sender<bool>) {
    let (paths, requests) = mpsc::unbounded_channel();
    let (release, released) = watch::channel(false);
    let address = start_origin(move |stream: TcpStream, head: String| {
        let (paths, mut released) = (paths.clone(), released.clone());
        async move {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            let is_held = path.starts_with("/held");
            paths.send(path).unwrap();
            if is_held {
                let _ = released.wait_for(|released| *released).await;
            }
            send(stream, response("", b"media")).await;
        }
    })
    .await;
    (address.split_once(':').unwrap().1.to_owned(), requests, release)
}

#[tokio::test]
async fn hosts_at_one_address_share_its_limit_and_all_downloads_complete() {
    let (port, mut requests, release) = holding_origin().await;
    let (downloader, limiter) = limited(2);
    let urls: Vec<String> = (0..5).map(|number| format!("http://n{number}.localhost:{port}/held")).collect();
    let downloads = join_all(urls.iter().map(|url| downloader.fetch(url)));
    let observe = async {
        for _ in 0..2 {
            requests.recv().await.unwrap();
        }
        while limiter.counts().queued_for_address < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(limiter.counts().active, 2, "waiting downloads have no general permit");
        assert!(requests.try_recv().is_err(), "nothing is requested over the other connections");
        release.send_replace(true);
    };
    let (results, ()) = join(downloads, observe).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(limiter.is_idle());
}

#[tokio::test]
async fn redirect_counts_against_the_limit_of_its_target_address() {
    let (port, mut requests, release) = holding_origin().await;
    let target = port.clone();
    let redirecting = start_origin(move |stream, _| {
        let location = format!("HTTP/1.1 302 Found\r\nLocation: http://n.localhost:{target}/held/2\r\n\r\n");
        send(stream, location.into())
    })
    .await;
    let (downloader, limiter) = limited(1);
    let urls = [format!("http://localhost:{port}/held/1"), format!("http://{redirecting}/")];
    let first = downloader.fetch(&urls[0]);
    let second = async {
        requests.recv().await.unwrap();
        let redirected = downloader.fetch(&urls[1]);
        let observe = async {
            while limiter.counts().queued_for_address < 1 {
                tokio::task::yield_now().await;
            }
            release.send_replace(true);
        };
        join(redirected, observe).await.0
    };
    let (first, second) = join(first, second).await;
    assert!(first.is_ok() && second.is_ok(), "{second:?}");
    assert!(limiter.is_idle());
}

#[tokio::test]
async fn failed_and_dropped_downloads_release_their_permits() {
    let (port, mut requests, _release) = holding_origin().await;
    let (downloader, limiter) = limited(1);
    let downloader = Arc::new(downloader);
    assert!(downloader.fetch("http://user@localhost/").await.is_err());
    assert!(downloader.fetch("http://localhost:1/").await.is_err());
    assert!(limiter.is_idle());
    let url = format!("http://localhost:{port}/held");
    tokio::select! {
        result = downloader.fetch(&url) => panic!("{result:?}"),
        _ = requests.recv() => {}
    }
    assert!(limiter.is_idle());
    limiter.close();
    assert!(downloader.fetch(&url).await.is_err());
}
