//! Connections that serve several requests.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, join, join3};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::limiter_options::LimiterOptions;
use crate::options::{HttpOptions, ReuseOriginConnections};
use crate::origin_connections::OriginConnectionCounts;
use crate::resolver::Resolve;
use crate::tests::http2::{acceptor, trusting_downloader};
use crate::tests::lasting_origin::Seen::Closed;
use crate::tests::lasting_origin::{Client, echo, lasting, next_path, ok, request, serve, start, start_on};
use media_cache_interfaces::{Downloader, FetchError, Fetched, Validators};

#[tokio::test]
async fn successive_requests_to_an_origin_share_a_connection() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nExpires: never\r\n\r\n";
    let (address, mut seen) = start(move |_, path| match path {
        "/chunked" => (chunked.into(), false),
        _ => echo(0, path),
    })
    .await;
    let client = Client::default();
    for (path, body) in [("/a", "/a"), ("/chunked", "body"), ("/b", "/b")] {
        assert_eq!(client.fetch(format!("http://{address}{path}")).await.unwrap(), body);
        assert_eq!(seen.recv().await, Some(request(0, path)));
        client.idle(1).await;
    }
    assert_eq!(client.counts(), (2, 0));
    drop(client);
    assert_eq!(seen.recv().await, Some(Closed(0)), "the connection ends with its downloader");
}

#[tokio::test]
async fn without_reuse_each_request_has_its_own_connection() {
    let (address, mut seen) = start(echo).await;
    let client = Client::new(HttpOptions { reuse_origin_connections: ReuseOriginConnections::Never, ..HttpOptions::default() });
    for number in 0..3 {
        assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
        assert_eq!([seen.recv().await, seen.recv().await], [Some(request(number, "/a")), Some(Closed(number))]);
    }
    assert_eq!(client.connections.counts(), OriginConnectionCounts::default());
}

#[tokio::test]
async fn connection_is_kept_after_responses_without_media() {
    let (address, mut seen) = start(|_, path| {
        let bytes = match path {
            "/redirect" => "HTTP/1.1 302 Found\r\nLocation: /media\r\nContent-Length: 9\r\n\r\nelsewhere".into(),
            "/missing" => "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n".into(),
            "/unchanged" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n".into(),
            path => ok(path),
        };
        (bytes, false)
    })
    .await;
    let client = Client::default();
    assert_eq!(client.fetch(format!("http://{address}/redirect")).await.unwrap(), "/media");
    client.idle(1).await;
    assert_eq!(client.fetch(format!("http://{address}/missing")).await, Err(FetchError::NotFound));
    client.idle(1).await;
    let validators = Validators { etag: Some("\"a\"".into()), ..Validators::default() };
    let unchanged = client.downloader.fetch_if_changed(&format!("http://{address}/unchanged"), &validators).await;
    assert!(matches!(unchanged, Ok(Fetched::NotModified(_))), "{unchanged:?}");
    client.idle(1).await;
    assert_eq!(client.fetch(format!("http://{address}/media")).await.unwrap(), "/media");
    for path in ["/redirect", "/media", "/missing", "/unchanged", "/media"] {
        assert_eq!(seen.recv().await, Some(request(0, path)));
    }
}

#[tokio::test]
async fn connection_is_closed_after_a_response_that_does_not_permit_reuse() {
    let whole = |head: &str| format!("{head}\r\nContent-Length: 4\r\n\r\nbody");
    let responses = [
        whole("HTTP/1.1 200 OK\r\nConnection: close"),
        whole("HTTP/1.1 200 OK\r\nConnection: keep-alive, Close"),
        whole("HTTP/1.1 200 OK\r\nConnection: upgrade"),
        whole("HTTP/1.0 200 OK"),
        whole("HTTP/1.0 200 OK\r\nConnection: keep-alive"),
        whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity"),
        // The download fails with these.
        whole("HTTP/1.1 200 OK") + "!",
        whole("HTTP/1.1 200 OK") + &ok("evil"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n!".into(),
        whole("HTTP/1.1 200 OK\r\nContent-Encoding: gzip"),
        whole("HTTP/1.1 200 OK\r\nContent-Type: application/pdf"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n{}", "x".repeat(20_000)),
        format!("HTTP/1.1 404 Not Found\r\nContent-Length: 20000\r\n\r\n{}", "x".repeat(20_000)),
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbod".into(),
    ];
    for response in responses {
        let bytes = response.clone();
        let (address, mut seen) = start(move |_, path| if path == "/odd" { (bytes.clone(), false) } else { echo(0, path) }).await;
        let accept_types = vec!["!application/pdf".parse().unwrap()];
        let client = Client::new(HttpOptions { max_body_bytes: 10_000, accept_types, ..lasting() });
        let _ = client.fetch(format!("http://{address}/odd")).await;
        assert_eq!(seen.recv().await, Some(request(0, "/odd")));
        tokio::select! {
            closed = seen.recv() => assert_eq!(closed, Some(Closed(0))),
            () = client.idle(1) => panic!("the connection is kept after {response:.100}"),
        }
        assert_eq!(client.fetch(format!("http://{address}/next")).await.unwrap(), "/next", "{response:.100}");
        assert_eq!(seen.recv().await, Some(request(1, "/next")));
        assert_eq!(client.counts(), (0, 0));
    }
}

#[tokio::test]
async fn aborted_download_closes_its_connection() {
    let (address, mut seen) = start(|_, _| ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody".into(), false)).await;
    let client = Client::default();
    tokio::select! {
        result = client.fetch(format!("http://{address}/a")) => panic!("{result:?}"),
        request = seen.recv() => assert_eq!(request, Some(self::request(0, "/a"))),
    }
    assert_eq!(seen.recv().await, Some(Closed(0)));
    assert_eq!(client.connections.counts().idle, 0);
}

/// The addresses that every name currently resolves to.
#[derive(Default)]
pub(crate) struct Names(Mutex<Vec<IpAddr>>);

impl Names {
    pub(crate) fn set(&self, addresses: &[&str]) {
        *self.0.lock().unwrap() = addresses.iter().map(|address| address.parse().unwrap()).collect();
    }
}

impl Resolve for Arc<Names> {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }
}

#[tokio::test]
async fn connection_is_reused_only_if_the_name_still_resolves_to_its_address() {
    let (one, mut at_one) = start(|_, _| (ok("one"), false)).await;
    let port = one.split_once(':').unwrap().1;
    let (_, mut at_two) = start_on(&format!("127.0.0.2:{port}"), |_, _| (ok("two"), false)).await;
    let names = Arc::new(Names::default());
    let client = Client::new(HttpOptions { resolver: Arc::new(names.clone()), ..lasting() });
    let fetch = |path: &str| client.fetch(format!("http://a.example:{port}/{path}"));
    names.set(&["127.0.0.1"]);
    assert_eq!(fetch("1").await.unwrap(), "one");
    client.idle(1).await;
    names.set(&["127.0.0.2"]);
    assert_eq!(fetch("2").await.unwrap(), "two");
    client.idle(2).await;
    names.set(&["127.0.0.1"]);
    assert_eq!(fetch("3").await.unwrap(), "one");
    client.idle(2).await;
    // A single denied address denies the name, even though there is a connection to the other one.
    names.set(&["127.0.0.1", "10.0.0.1"]);
    assert!(matches!(fetch("4").await, Err(FetchError::Refused(_))));
    assert_eq!([at_one.recv().await, at_one.recv().await], [Some(request(0, "/1")), Some(request(0, "/3"))]);
    assert_eq!(at_two.recv().await, Some(request(0, "/2")));
    assert!(at_one.try_recv().is_err() && at_two.try_recv().is_err());
}

#[tokio::test]
async fn connection_is_not_shared_between_hosts_or_downloaders() {
    let (address, mut seen) = start(echo).await;
    let port = address.split_once(':').unwrap().1;
    let client = Client::default();
    let other = Client::new(HttpOptions { origin_connections: client.connections.clone(), ..HttpOptions::default() });
    client.fetch(format!("http://a.localhost:{port}/a")).await.unwrap();
    client.idle(1).await;
    client.fetch(format!("http://b.localhost:{port}/b")).await.unwrap();
    client.idle(2).await;
    other.fetch(format!("http://a.localhost:{port}/c")).await.unwrap();
    client.idle(3).await;
    for expected in [request(0, "/a"), request(1, "/b"), request(2, "/c")] {
        assert_eq!(seen.recv().await, Some(expected));
    }
    drop(other);
    assert_eq!(seen.recv().await, Some(Closed(2)));
}

#[tokio::test]
async fn idle_connections_are_limited_per_host_and_in_total() {
    let (address, mut seen) = start(echo).await;
    let port = address.split_once(':').unwrap().1;
    let [per_host, in_all] = [2, 3].map(|limit| NonZeroUsize::new(limit).unwrap());
    let limits = LimiterOptions { max_downloads_per_host: per_host, max_downloads: in_all, ..LimiterOptions::default() };
    let client = Client::new(HttpOptions { limiter: Some(ConcurrencyLimiter::new(limits)), ..lasting() });
    let fetch = async |host: &str| {
        client.fetch(format!("http://{host}.localhost:{port}/")).await.unwrap();
    };
    let _: ((), ()) = join(fetch("a"), fetch("a")).await;
    client.idle(2).await;
    fetch("b").await;
    client.idle(3).await;
    // The connections to `a` are the oldest, so they are closed to make room for new ones.
    fetch("c").await;
    client.idle(3).await;
    let mut closed = 0;
    while closed == 0 {
        closed += usize::from(matches!(seen.recv().await, Some(Closed(0 | 1))));
    }
}

#[tokio::test]
async fn reused_connection_counts_against_the_limit_of_its_address() {
    let limits = LimiterOptions { max_downloads_per_address: NonZeroUsize::MIN, ..LimiterOptions::default() };
    let limiter = ConcurrencyLimiter::new(limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (arrived, mut arrivals) = mpsc::unbounded_channel::<String>();
    let (answer, answered) = watch::channel(0);
    tokio::spawn(async move {
        for _ in 0.. {
            let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            let (arrived, mut answered) = (arrived.clone(), answered.clone());
            tokio::spawn(async move {
                while let Some(path) = next_path(&mut stream).await {
                    let number: usize = path[1..].parse().unwrap();
                    arrived.send(path).unwrap();
                    answered.wait_for(|answered| *answered >= number).await.unwrap();
                    stream.write_all(ok("media").as_bytes()).await.unwrap();
                }
            });
        }
    });
    let client = Client::new(HttpOptions { limiter: Some(limiter.clone()), ..lasting() });
    assert_eq!(client.fetch(format!("http://{address}/0")).await.unwrap(), "media");
    arrivals.recv().await.unwrap();
    client.idle(1).await;
    let observe = async {
        arrivals.recv().await.unwrap();
        while limiter.counts().queued_for_address < 1 {
            tokio::task::yield_now().await;
        }
        assert!(arrivals.try_recv().is_err());
        answer.send(2).unwrap();
    };
    let (second, third) = (client.fetch(format!("http://{address}/1")), client.fetch(format!("http://{address}/2")));
    let (second, third, ()) = join3(second, third, observe).await;
    assert!(second.is_ok() && third.is_ok(), "{second:?} {third:?}");
    assert!(limiter.is_idle());
}

#[tokio::test]
async fn tls_connection_is_reused_unless_the_origin_has_closed_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, mut sees) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor("http/1.1").accept(stream).await.unwrap();
            tokio::spawn(serve(stream, number, |_, path| (ok(path), path == "/last"), seen.clone()));
        }
    });
    let options = lasting();
    let connections = options.origin_connections.clone();
    let client = Client { downloader: trusting_downloader(options), connections };
    for (path, connection) in [("/a", 0), ("/b", 0), ("/last", 0), ("/c", 1), ("/d", 1)] {
        assert_eq!(client.fetch(format!("https://{address}{path}")).await.unwrap(), path);
        assert_eq!(sees.recv().await, Some(request(connection, path)));
        if path != "/last" {
            client.idle(1).await;
        }
    }
    assert_eq!(client.counts().0, 3);
}

#[tokio::test]
async fn connection_with_a_partially_received_tls_record_is_not_reused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = lasting();
    let connections = options.origin_connections.clone();
    let client = Client { downloader: trusting_downloader(options), connections };
    let (sent, is_sent) = tokio::sync::oneshot::channel();
    let mut sent = Some(sent);
    let origin = async {
        let mut kept = Vec::new();
        for _ in 0..2 {
            let mut stream = acceptor("http/1.1").accept(listener.accept().await.unwrap().0).await.unwrap();
            let path = next_path(&mut stream).await.unwrap();
            stream.write_all(ok(&path).as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            if kept.is_empty() {
                client.idle(1).await;
                // A record with 64 bytes of application data, only two of which arrive.
                stream.get_mut().0.write_all(&[23, 3, 3, 0, 64, 1, 2]).await.unwrap();
                let client = stream.get_ref().0.peer_addr().unwrap();
                while unread_bytes(client) == 0 {
                    tokio::task::yield_now().await;
                }
                sent.take().unwrap().send(()).unwrap();
            }
            kept.push(stream);
        }
    };
    let fetches = async {
        assert_eq!(client.fetch(format!("https://{address}/a")).await.unwrap(), "/a");
        is_sent.await.unwrap();
        assert_eq!(client.fetch(format!("https://{address}/b")).await.unwrap(), "/b");
    };
    join(origin, fetches).await;
    assert_eq!(client.counts(), (0, 0));
}

/// The number of bytes that have arrived at a local socket and are unread.
fn unread_bytes(address: SocketAddr) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X}", address.port());
    let socket = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|fields| fields[1].ends_with(&port));
    let (_, received) = socket.unwrap()[4].split_once(':').unwrap();
    u64::from_str_radix(received, 16).unwrap()
}
