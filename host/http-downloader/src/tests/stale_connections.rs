//! Connections that cannot be reused, or that fail when they are.

use std::time::Duration;

use futures::future::join;
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
#[cfg(target_os = "linux")]
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::options::HttpOptions;
use crate::origin_connections::OriginConnections;
use crate::tests::lasting_origin::Seen::{Closed, Request};
use crate::tests::lasting_origin::{Client, LONG, echo, lasting, next_path, ok, request, serve, start};
use crate::tests::origin::SHORT;
use media_cache_interfaces::FetchError;

/// An origin that sends two responses to the only request on its first connection, the second one after a trigger. It then serves a second
/// connection normally.
async fn origin_with_late_surplus() -> (String, watch::Sender<bool>, UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (trigger, mut triggered) = watch::channel(false);
    let (sent, has_sent) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let path = next_path(&mut first).await.unwrap();
        first.write_all(ok(&path).as_bytes()).await.unwrap();
        triggered.wait_for(|triggered| *triggered).await.unwrap();
        first.write_all(ok("evil").as_bytes()).await.unwrap();
        sent.send(()).unwrap();
        let (second, _) = listener.accept().await.unwrap();
        serve(second, 1, echo, mpsc::unbounded_channel().0).await;
    });
    (address, trigger, has_sent)
}

#[tokio::test]
async fn extra_bytes_on_an_idle_connection_are_not_taken_for_the_next_response() {
    let (address, trigger, mut has_sent) = origin_with_late_surplus().await;
    let client = Client::default();
    assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
    client.idle(1).await;
    trigger.send(true).unwrap();
    has_sent.recv().await.unwrap();
    assert_eq!(client.fetch(format!("http://{address}/b")).await.unwrap(), "/b");
    assert_eq!(client.counts(), (0, 0), "nothing was sent over the first connection");
}

#[tokio::test]
async fn connection_that_the_origin_has_closed_is_not_reused() {
    let (close, closing) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (closed, mut has_closed) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut closing, closed) = (closing.clone(), closed.clone());
            tokio::spawn(async move {
                let path = next_path(&mut stream).await.unwrap();
                stream.write_all(ok(&path).as_bytes()).await.unwrap();
                closing.wait_for(|closing| *closing).await.unwrap();
                drop(stream);
                closed.send(()).unwrap();
            });
        }
    });
    let client = Client::default();
    assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
    client.idle(1).await;
    close.send(true).unwrap();
    has_closed.recv().await.unwrap();
    assert_eq!(client.fetch(format!("http://{address}/b")).await.unwrap(), "/b");
    assert_eq!(client.counts(), (0, 0));
}

#[tokio::test]
async fn request_that_fails_on_a_reused_connection_is_sent_once_more() {
    let timeout = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for last_words in ["", "HTTP/1.1 200", "garbage\r\n\r\n", timeout] {
        let (address, mut seen) = start(move |connection, path| match (connection, path) {
            (0, "/b") => (last_words.into(), true),
            _ => echo(connection, path),
        })
        .await;
        let client = Client::default();
        assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
        client.idle(1).await;
        assert_eq!(client.fetch(format!("http://{address}/b")).await.unwrap(), "/b", "{last_words:?}");
        assert_eq!(client.counts(), (0, 1));
        for expected in [request(0, "/a"), request(0, "/b"), request(1, "/b")] {
            assert_eq!(seen.recv().await, Some(expected));
        }
    }
}

#[tokio::test]
async fn request_that_also_fails_on_a_new_connection_is_not_sent_again() {
    let (address, mut seen) = start(|_, path| if path == "/a" { echo(0, path) } else { (String::new(), true) }).await;
    let client = Client::default();
    // There are two idle connections, and only one of them is tried.
    let urls = [format!("http://{address}/a"), format!("http://{address}/a")];
    let [first, second] = urls.map(|url| client.fetch(url));
    assert!(matches!(join(first, second).await, (Ok(_), Ok(_))));
    client.idle(2).await;
    let error = client.fetch(format!("http://{address}/b")).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert_eq!(client.counts(), (0, 1));
    let mut requests = Vec::new();
    while requests.len() < 4 {
        requests.extend(seen.recv().await);
    }
    assert_eq!(requests.iter().filter(|seen| matches!(seen, Request(_, path) if path == "/b")).count(), 2);
    assert!(requests.contains(&request(2, "/b")), "{requests:?}");
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn truncated_body_is_not_requested_again() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody";
    let (address, mut seen) = start(move |_, path| if path == "/a" { echo(0, path) } else { (short.into(), true) }).await;
    let client = Client::default();
    assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
    client.idle(1).await;
    assert!(matches!(client.fetch(format!("http://{address}/b")).await, Err(FetchError::ShortBody(_))));
    assert_eq!([seen.recv().await, seen.recv().await], [Some(request(0, "/a")), Some(request(0, "/b"))]);
    assert!(seen.try_recv().is_err());
}

/// Makes a socket drop everything that arrives, so that to its peer it seems to have disappeared.
#[cfg(target_os = "linux")]
fn disappear(stream: &TcpStream) {
    const RETURN: u16 = 6;
    SockRef::from(stream).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn request_over_a_connection_whose_origin_has_disappeared_is_sent_once_more_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::new(HttpOptions { first_byte_timeout: Duration::from_secs(3), ..lasting() });
    let (gone, is_gone) = oneshot::channel();
    let origin = async {
        let (mut first, _) = listener.accept().await.unwrap();
        let path = next_path(&mut first).await.unwrap();
        first.write_all(ok(&path).as_bytes()).await.unwrap();
        client.idle(1).await;
        disappear(&first);
        gone.send(()).unwrap();
        let (second, _) = listener.accept().await.unwrap();
        serve(second, 1, echo, mpsc::unbounded_channel().0).await;
    };
    let fetches = async {
        assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
        is_gone.await.unwrap();
        assert_eq!(client.fetch(format!("http://{address}/b")).await.unwrap(), "/b");
    };
    tokio::select! {
        () = origin => panic!("the client has closed its second connection"),
        () = fetches => {}
    }
    assert_eq!(client.counts(), (0, 1));
}

/// Makes a listener and the connections that it accepts drop segments with data, but not the handshakes.
#[cfg(target_os = "linux")]
fn drop_data(listener: &TcpListener) {
    const LOAD_LENGTH: u16 = 0x80;
    const JUMP_IF_GREATER: u16 = 0x25;
    const RETURN: u16 = 6;
    /// The maximum length of a TCP header, in bytes.
    const LARGEST_TCP_HEADER: u32 = 60;
    let filter = [
        SockFilter::new(LOAD_LENGTH, 0, 0, 0),
        SockFilter::new(JUMP_IF_GREATER, 0, 1, LARGEST_TCP_HEADER),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn request_over_a_new_connection_may_be_unacknowledged_until_the_first_byte_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    drop_data(&listener);
    let client = Client::new(HttpOptions { first_byte_timeout: Duration::from_secs(1), ..lasting() });
    let error = client.fetch(format!("http://{}/a", listener.local_addr().unwrap())).await.unwrap_err();
    assert!(matches!(&error, FetchError::TimedOut(reason) if reason.contains("did not respond")), "{error:?}");
}

#[tokio::test]
async fn idle_connection_is_closed_after_the_idle_timeout() {
    let (address, mut seen) = start(echo).await;
    let client =
        Client::new(HttpOptions { origin_connections: OriginConnections::with_keep_idle(SHORT), ..HttpOptions::default() });
    for number in 0..2 {
        client.fetch(format!("http://{address}/a")).await.unwrap();
        assert_eq!([seen.recv().await, seen.recv().await], [Some(request(number, "/a")), Some(Closed(number))]);
    }
    assert_eq!(client.connections.counts().idle, 0);
}

#[tokio::test]
async fn idle_connection_is_closed_before_the_origin_closes_it() {
    let (long, _seen) = start(echo).await;
    let (short, mut seen) =
        start(|_, _| ("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=100\r\nContent-Length: 5\r\n\r\nmedia".into(), false)).await;
    let client = Client::default();
    client.fetch(format!("http://{long}/long")).await.unwrap();
    client.idle(1).await;
    client.fetch(format!("http://{short}/short")).await.unwrap();
    for expected in [request(0, "/short"), Closed(0)] {
        assert_eq!(timeout(LONG, seen.recv()).await.unwrap(), Some(expected));
    }
    assert_eq!(client.connections.counts().idle, 1, "the other one is kept as long as usual");
}

#[tokio::test]
async fn connection_that_the_origin_does_not_keep_is_closed_at_once() {
    let (address, mut seen) =
        start(|_, _| ("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 5\r\n\r\nmedia".into(), false)).await;
    let client = Client::default();
    client.fetch(format!("http://{address}/a")).await.unwrap();
    assert_eq!([seen.recv().await, seen.recv().await], [Some(request(0, "/a")), Some(Closed(0))]);
}
