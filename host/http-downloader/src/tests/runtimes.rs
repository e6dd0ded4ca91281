//! Connections of one runtime, and requests of another.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::options::HttpOptions;
use crate::origin_connections::OriginConnections;
use crate::tests::http2::{announcing, response, start_origin, trusting_downloader};
use crate::tests::lasting_origin::Seen::{self, Closed};
use crate::tests::lasting_origin::{Client, LONG, echo, request, start};
use media_cache_interfaces::Downloader;

/// An origin with a separate runtime.
fn origin() -> (Runtime, String, UnboundedReceiver<Seen>) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, seen) = runtime.block_on(start(echo));
    (runtime, address, seen)
}

fn client(keep_idle: Duration) -> Client {
    Client::new(HttpOptions { origin_connections: OriginConnections::with_keep_idle(keep_idle), ..HttpOptions::default() })
}

/// Starts a runtime, which runs only while something blocks on it.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn fetch_and_keep(client: &Client, address: &str, path: &str) {
    let idle = client.connections.counts().idle;
    assert_eq!(timeout(LONG, client.fetch(format!("http://{address}{path}"))).await.unwrap().unwrap(), path);
    client.idle(idle + 1).await;
}

#[test]
fn connection_of_a_runtime_that_is_not_driven_is_neither_used_nor_kept_for_ever() {
    let (_origin, address, mut seen) = origin();
    let client = client(Duration::from_secs(1));
    let [first, second] = [runtime(), runtime()];
    first.block_on(fetch_and_keep(&client, &address, "/a"));
    let mut events = Vec::new();
    second.block_on(async {
        assert_eq!(timeout(LONG, client.fetch(format!("http://{address}/b"))).await.unwrap().unwrap(), "/b");
        while events.len() < 4 {
            events.push(timeout(LONG, seen.recv()).await.expect("both connections are closed").unwrap());
        }
    });
    let requests: Vec<_> = events.into_iter().filter(|event| !matches!(event, Closed(0 | 1))).collect();
    assert_eq!(requests, [request(0, "/a"), request(1, "/b")]);
    assert_eq!(client.counts(), (0, 0));
}

#[test]
fn connections_are_closed_with_their_runtime() {
    let (_origin, address, mut seen) = origin();
    let client = client(Duration::from_secs(3600));
    let first = runtime();
    first.block_on(fetch_and_keep(&client, &address, "/a"));
    assert_eq!(seen.blocking_recv(), Some(request(0, "/a")));
    drop(first);
    assert_eq!(client.connections.counts().idle, 0);
    assert_eq!(seen.blocking_recv(), Some(Closed(0)));
    runtime().block_on(fetch_and_keep(&client, &address, "/b"));
    assert_eq!(seen.blocking_recv(), Some(request(1, "/b")));
}

#[test]
fn connections_are_closed_although_a_runtime_that_kept_one_later_is_not_driven() {
    let (_origin, address, mut seen) = origin();
    let client = client(Duration::from_secs(3));
    let [first, second] = [runtime(), runtime()];
    first.block_on(fetch_and_keep(&client, &address, "/a"));
    second.block_on(fetch_and_keep(&client, &address, "/b"));
    let events = first.block_on(async {
        let mut events = Vec::new();
        while events.len() < 4 {
            events.push(timeout(LONG, seen.recv()).await.expect("both connections are closed").unwrap());
        }
        events
    });
    assert!(events.contains(&Closed(0)) && events.contains(&Closed(1)), "{events:?}");
}

#[test]
fn connections_survive_the_end_of_another_runtime() {
    let (_origin, address, mut seen) = origin();
    let client = client(Duration::from_secs(3600));
    let [first, second] = [runtime(), runtime()];
    first.block_on(fetch_and_keep(&client, &address, "/a"));
    second.block_on(fetch_and_keep(&client, &address, "/b"));
    drop(second);
    assert_eq!(client.connections.counts().idle, 1);
    assert_eq!(first.block_on(client.fetch(format!("http://{address}/c"))).unwrap(), "/c");
    assert_eq!(client.counts(), (1, 0));
    let mut requests = Vec::new();
    while requests.len() < 3 {
        requests.extend(seen.blocking_recv().filter(|event| !matches!(event, Closed(_))));
    }
    assert_eq!(requests, [request(0, "/a"), request(1, "/b"), request(0, "/c")]);
}

#[test]
fn http_2_connection_of_a_runtime_that_is_not_driven_is_not_used() {
    let origin = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = origin.block_on(start_origin(response(announcing(5), &["media"])));
    let downloader = trusting_downloader(HttpOptions { first_byte_timeout: Duration::from_secs(5), ..HttpOptions::default() });
    let [first, second] = [runtime(), runtime()];
    for runtime in [&first, &second, &first] {
        let media = runtime.block_on(downloader.fetch(&url)).unwrap();
        assert_eq!(media.body.in_memory().unwrap(), "media");
    }
}
