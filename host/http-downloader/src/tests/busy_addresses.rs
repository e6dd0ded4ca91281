//! Hosts with several addresses, one of which is busy.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::future::{join, join3};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::limiter_options::LimiterOptions;
use crate::options::HttpOptions;
use crate::tests::lasting_origin::{Client, LONG, lasting, next_path, ok, request, start_on};
use crate::tests::reuse::Names;

/// An origin whose responses to `/held` wait for a trigger.
async fn holding_origin() -> (String, mpsc::UnboundedReceiver<()>, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (held, is_held) = mpsc::unbounded_channel();
    let (release, released) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (held, mut released) = (held.clone(), released.clone());
            tokio::spawn(async move {
                while let Some(path) = next_path(&mut stream).await {
                    if path == "/held" {
                        held.send(()).unwrap();
                        released.wait_for(|released| *released).await.unwrap();
                    }
                    stream.write_all(ok("one").as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, is_held, release)
}

/// A client that may download from each address only once at a time, and the addresses of all host names.
fn client() -> (Client, Arc<Names>, ConcurrencyLimiter) {
    let limits = LimiterOptions { max_downloads_per_address: NonZeroUsize::MIN, ..LimiterOptions::default() };
    let (names, limiter) = (Arc::new(Names::default()), ConcurrencyLimiter::new(limits));
    let client = Client::new(HttpOptions { resolver: Arc::new(names.clone()), limiter: Some(limiter.clone()), ..lasting() });
    (client, names, limiter)
}

#[tokio::test]
async fn busy_address_does_not_keep_a_request_from_another_address_of_the_host() {
    let (port, mut is_held, release) = holding_origin().await;
    let (_, mut at_two) = start_on(&format!("127.0.0.2:{port}"), |_, _| (ok("two"), false)).await;
    let (client, names, _) = client();
    let fetch = async |host: &str, path: &str| {
        timeout(LONG, client.fetch(format!("http://{host}.example:{port}/{path}"))).await.unwrap().unwrap()
    };
    // A connection to each address is idle.
    for (idle, address, body) in [(1, "127.0.0.1", "one"), (2, "127.0.0.2", "two")] {
        names.set(&[address]);
        assert_eq!(fetch("a", &idle.to_string()).await, body);
        client.idle(idle).await;
    }
    let others = async {
        names.set(&["127.0.0.1"]);
        let held = fetch("b", "held");
        let meanwhile = async {
            is_held.recv().await.unwrap();
            names.set(&["127.0.0.1", "127.0.0.2"]);
            assert_eq!(fetch("a", "3").await, "two");
            assert_eq!(fetch("c", "4").await, "two", "by a new connection");
            release.send(true).unwrap();
        };
        join(held, meanwhile).await.0
    };
    assert_eq!(others.await, "one");
    for expected in [request(0, "/2"), request(0, "/3"), request(1, "/4")] {
        assert_eq!(at_two.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn request_waits_for_a_busy_address_if_the_others_of_the_host_cannot_be_reached() {
    let (port, mut is_held, release) = holding_origin().await;
    let (client, names, limiter) = client();
    let fetch = async |host: &str, path: &str| {
        timeout(LONG, client.fetch(format!("http://{host}.example:{port}/{path}"))).await.unwrap().unwrap()
    };
    names.set(&["127.0.0.1"]);
    let held = fetch("a", "held");
    let queued = async {
        is_held.recv().await.unwrap();
        // Nothing listens on the second address.
        names.set(&["127.0.0.1", "127.0.0.2"]);
        let is_queued = async {
            while limiter.counts().queued_for_address < 1 {
                tokio::task::yield_now().await;
            }
            release.send(true).unwrap();
        };
        join(fetch("b", "1"), timeout(LONG, is_queued)).await
    };
    let (held, (queued, is_queued)) = join(held, queued).await;
    assert_eq!([held, queued], ["one", "one"]);
    assert!(is_queued.is_ok());
}

#[tokio::test]
async fn request_whose_address_becomes_busy_while_it_connects_uses_another_one() {
    let (port, mut is_held, release) = holding_origin().await;
    let (_, mut at_two) = start_on(&format!("127.0.0.2:{port}"), |_, _| (ok("two"), false)).await;
    let (client, names, _) = client();
    names.set(&["127.0.0.1", "127.0.0.2"]);
    let fetch =
        async |host: &str| timeout(LONG, client.fetch(format!("http://{host}.example:{port}/held"))).await.unwrap().unwrap();
    let release = async {
        is_held.recv().await.unwrap();
        assert_eq!(timeout(LONG, at_two.recv()).await.unwrap(), Some(request(0, "/held")));
        release.send(true).unwrap();
    };
    let (first, second, ()) = join3(fetch("a"), fetch("b"), release).await;
    let mut bodies = [first, second];
    bodies.sort();
    assert_eq!(bodies, ["one", "two"]);
}
