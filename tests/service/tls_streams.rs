//! What the streams of an HTTP/2 connection may hold, and for how long, when their clients are slow, and how they end.

use std::io;
use std::time::Duration;

use futures::future::join_all;
use http::{Method, Request};
use media_cache_test_support::certificates::{FIRST, serve_tls};
use media_cache_test_support::http_client::{https_client, media_path};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::png;
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::soon::soon;
use media_cache_test_support::tls_client::{RawHttp2, connect_tls};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::tls_connections::{NOWHERE, serve, until_ended};

/// Media whose end, beyond a window of 49,153 bytes, fits in the buffers of the service.
const SMALL: usize = 64_000;

/// The same window, so that hyper passes on the end at once, and the client does not accept it.
const WINDOW: u32 = 49_153;

/// Connects with a window for each stream, and so large a window for the connection that it does not matter.
async fn connect_with_window(service: &Service, window: u32) -> RawHttp2 {
    RawHttp2::over(connect_tls(service, "h2").await, window, 1 << 24).await
}

#[tokio::test]
async fn stream_whose_end_the_client_does_not_accept_keeps_its_permit() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--max-connections", "3"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, SMALL)).await.status, 201);
    let mut client = connect_with_window(&service, WINDOW).await;
    let mut responses = Vec::new();
    for _ in 0..2 {
        let mut response = soon(client.media(NOWHERE)).await.unwrap();
        let mut received = 0;
        while received < WINDOW as usize {
            received += soon(response.body_mut().data()).await.unwrap().unwrap().len();
        }
        responses.push(response);
    }
    assert_eq!(soon(client.get("/healthz")).await.unwrap().status(), 503);
    for response in &mut responses {
        response.body_mut().flow_control().release_capacity(WINDOW as usize).unwrap();
        while soon(response.body_mut().data()).await.is_some() {}
    }
    assert_eq!(soon(client.get("/healthz")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn client_that_does_not_accept_the_end_of_a_stream_is_disconnected() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &["--slow-client-seconds", "1"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, SMALL)).await.status, 201);
    let mut client = connect_with_window(&service, WINDOW).await;
    let _response = soon(client.media(NOWHERE)).await.unwrap();
    assert!(soon(client.connection).await.unwrap().is_err());
    until_ended(&service, "slow_reader", 1).await;
}

/// Passes on 200,000 bytes a second.
async fn throttle(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = [0; 4000];
    let mut interval = tokio::time::interval(Duration::from_millis(20));
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        interval.tick().await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Connects over a slow link, with windows for each stream and for the connection.
async fn connect_throttled(service: &Service, window: u32, connection_window: u32) -> RawHttp2 {
    let (near, far) = tokio::io::duplex(4000);
    let (mut from_client, to_client) = tokio::io::split(far);
    let (from_service, mut to_service) = tokio::io::split(connect_tls(service, "h2").await);
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_service).await });
    tokio::spawn(throttle(from_service, to_client));
    RawHttp2::over(near, window, connection_window).await
}

#[tokio::test]
async fn streams_share_a_slow_link() {
    let dir = ServiceDirectory::create();
    // Each of the streams is slower, but not all of them together.
    let service = serve(&dir, &["--slow-client-seconds", "1", "--min-client-rate", "50000"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, SMALL)).await.status, 201);
    let mut client = connect_throttled(&service, 1 << 20, 1 << 24).await;
    let bodies = (0..16).map(|_| client.media(NOWHERE)).collect::<Vec<_>>().into_iter().map(|response| async {
        let mut body = soon(response).await.unwrap().into_body();
        let mut received = 0;
        while let Some(piece) = soon(body.data()).await {
            received += piece.unwrap().len();
        }
        received
    });
    assert_eq!(join_all(bodies).await, [SMALL; 16]);
}

#[tokio::test]
async fn streams_of_one_connection_leave_half_of_the_permits_to_others() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let urls: Vec<_> = (0..6).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    let latches: Vec<_> = (0..6).map(|number| origin.hold(&format!("/{number}.png"))).collect();
    let service = serve(&dir, &["--max-connections", "8", "--max-downloads", "8"]).await;
    let mut client = RawHttp2::connect(&service).await;
    let waiting: Vec<_> = urls.iter().map(|url| client.media(url)).collect();
    join_all(latches[..5].iter().map(|latch| latch.reached())).await;
    let mut statuses = Vec::new();
    let mut others = Vec::new();
    for _ in 0..3 {
        let mut other = RawHttp2::connect(&service).await;
        statuses.push(soon(other.get("/healthz")).await.unwrap().status().as_u16());
        others.push(other);
    }
    assert_eq!(statuses, [200; 3]);
    latches.iter().for_each(|latch| latch.open());
    let answered = join_all(waiting.into_iter().map(async |response| soon(response).await.unwrap().status().as_u16())).await;
    assert_eq!(answered, [200, 200, 200, 200, 200, 503]);
}

#[tokio::test]
async fn streams_count_towards_the_limit_of_an_address() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/1.png", "image/png", png(1));
    let latch = origin.hold("/1.png");
    let service = serve(&dir, &["--max-connections-per-address", "2"]).await;
    let mut client = RawHttp2::connect(&service).await;
    let waiting = [(); 2].map(|()| client.media(&url));
    soon(latch.reached()).await;
    assert_eq!(soon(client.get("/healthz")).await.unwrap().status(), 429);
    latch.open();
    for response in waiting {
        assert_eq!(soon(response).await.unwrap().status(), 200);
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Requests media, and reads a frame of the response every 20 ms, after each of which it updates the windows. Stops the service when it has
/// read the first. Returns the number of bytes of the body.
async fn read_slowly(service: &Service, url: &str) -> io::Result<usize> {
    let mut stream = connect_tls(service, "h2").await;
    let path = media_path(url);
    // GET and https from the static table of HPACK, and a path (RFC 7541, appendix A).
    let head = [&[0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()], path.as_bytes(), b"\x01\x09localhost"].concat();
    let start = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, &[]), &frame(1, 5, 1, &head)].concat();
    stream.write_all(&start).await?;
    let mut received = 0;
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await?;
        let [a, b, c, kind, flags, ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        match (kind, flags) {
            (0, _) => {
                if received == 0 {
                    service.signal(Signal::TERM);
                }
                received += payload.len();
                if flags & 1 == 1 {
                    return Ok(received);
                }
                let increment = u32::try_from(payload.len().max(1)).unwrap().to_be_bytes();
                stream.write_all(&[frame(8, 0, 0, &increment), frame(8, 0, 1, &increment)].concat()).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // Settings and pings are acknowledged.
            (4, 0) => stream.write_all(&frame(4, 1, 0, &[])).await?,
            (6, 0) => stream.write_all(&frame(6, 1, 0, &payload)).await?,
            _ => {}
        }
    }
}

#[tokio::test]
async fn shutdown_delivers_the_end_of_a_response_to_a_slow_client() {
    const SIZE: usize = 300_000;
    let dir = ServiceDirectory::create();
    let service = serve_tls(&dir, FIRST, &["--grace-seconds", "60"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, SIZE)).await.status, 201);
    assert_eq!(soon(read_slowly(&service, NOWHERE)).await.unwrap(), SIZE);
    assert_eq!(service.wait().await.code(), Some(0));
}

#[tokio::test]
async fn ambiguous_requests_and_tunnels_are_refused() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &[]).await;
    let mut client = RawHttp2::connect(&service).await;
    let request = |method, uri: &str, hosts: &[&str]| {
        let request = Request::builder().method(method).uri(uri);
        hosts.iter().fold(request, |request, host| request.header("host", *host)).body(()).unwrap()
    };
    let healthz = "https://localhost/healthz";
    for (request, status) in [
        (request(Method::GET, healthz, &[]), 200),
        (request(Method::GET, healthz, &["LOCALHOST"]), 200),
        (request(Method::GET, healthz, &["elsewhere"]), 400),
        (request(Method::GET, healthz, &["localhost", "localhost"]), 400),
        (request(Method::CONNECT, "localhost:443", &[]), 405),
        (request(Method::GET, healthz, &[]), 200),
    ] {
        let described = format!("{request:?}");
        let response = soon(client.requests.send_request(request, true).unwrap().0).await.unwrap();
        assert_eq!(response.status(), status, "{described}");
    }
}

/// A response to HEAD has the same headers as one to GET, so a length of 0 would be wrong, and so would none be over one protocol only.
#[tokio::test]
async fn unchanged_media_has_the_same_headers_over_http_1_and_http_2() {
    let dir = ServiceDirectory::create();
    let service = serve(&dir, &[]).await;
    assert_eq!(service.put(NOWHERE, "image/png", png(1)).await.status, 201);
    for method in [Method::GET, Method::HEAD] {
        let mut lengths = Vec::new();
        for client in [https_client().http1_only(), https_client()] {
            let request =
                client.build().unwrap().request(method.clone(), format!("https://{}{}", service.address(), media_path(NOWHERE)));
            let response = soon(request.header("if-none-match", "*").send()).await.unwrap();
            assert_eq!(response.status(), 304);
            lengths.push(response.headers().get("content-length").cloned());
        }
        assert_eq!(lengths[0], lengths[1], "{method}");
    }
}
