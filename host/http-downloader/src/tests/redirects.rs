//! Redirects.

use tokio::sync::mpsc;

use crate::homeserver::Homeserver;
use crate::options::HttpOptions;
use crate::tests::lasting_origin::{Client, lasting, ok, request, start};
use crate::tests::origin::{failure, fetch, origin_sending, response, send, start_origin};
use media_cache_interfaces::FetchError;

#[tokio::test]
async fn redirects_are_followed_up_to_the_limit_and_disclose_nothing() {
    let (heads, mut requests) = mpsc::unbounded_channel();
    let countdown = move |stream, head: String| {
        heads.send(head.clone()).unwrap();
        let left: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        let status = [0, 301, 302, 303, 307, 308, 302][left];
        let bytes = match left {
            0 => response("", b"media"),
            left => {
                format!("HTTP/1.1 {status} Go\r\nConnection: close\r\nSet-Cookie: a=b\r\nLocation: {}\r\n\r\n", left - 1).into()
            }
        };
        send(stream, bytes)
    };
    let address = start_origin(countdown).await;

    let media = fetch(&format!("http://{address}/5"), HttpOptions::default()).await.unwrap();
    assert_eq!((media.body.in_memory().unwrap().as_ref(), media.filename.as_str()), (&b"media"[..], "0"));
    for left in (0..=5).rev() {
        let head = requests.recv().await.unwrap().to_ascii_lowercase();
        assert!(head.starts_with(&format!("get /{left} http/1.1\r\n")), "{head}");
        assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
        assert!(!["cookie:", "referer:", "authorization:"].iter().any(|secret| head.contains(secret)), "{head}");
    }

    assert_eq!(failure(&format!("http://{address}/6"), HttpOptions::default()).await, FetchError::TooManyRedirects(5));
    let none = HttpOptions { max_redirects: 0, ..HttpOptions::default() };
    assert_eq!(failure(&format!("http://{address}/1"), none).await, FetchError::TooManyRedirects(0));
}

#[tokio::test]
async fn redirect_to_another_scheme_is_refused() {
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/"] {
        let url = origin_sending(format!("HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: {location}\r\n\r\n")).await;
        assert!(matches!(failure(&url, HttpOptions::default()).await, FetchError::Refused(_)), "{location}");
    }
}

#[tokio::test]
async fn redirect_uses_only_connections_to_its_own_host() {
    let (address, mut seen) = start(|_, path| {
        let location = path.strip_prefix("/to/").map(|location| format!("http://{location}"));
        let redirect = |location| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        (location.map_or_else(|| ok(path), redirect), false)
    })
    .await;
    let port = address.split_once(':').unwrap().1;
    let client = Client::default();
    let [a, b] = ["a", "b"].map(|host| format!("{host}.localhost:{port}"));
    assert_eq!(client.fetch(format!("http://{a}/to/{b}/1")).await.unwrap(), "/1");
    client.idle(2).await;
    assert_eq!(client.fetch(format!("http://{b}/to/{a}/2")).await.unwrap(), "/2");
    let (to_a, to_b) = (format!("/to/{a}/2"), format!("/to/{b}/1"));
    for expected in [request(0, &to_b), request(1, "/1"), request(1, &to_a), request(0, "/2")] {
        assert_eq!(seen.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn connection_over_which_a_token_was_sent_serves_no_anonymous_request() {
    let (address, mut seen) = start(|_, path| (ok(path), false)).await;
    let homeserver = Homeserver::new(format!("http://{address}").parse().unwrap(), "secret").unwrap();
    let client = Client::new(HttpOptions { matrix_homeserver: Some(homeserver), ..lasting() });
    let media = client.fetch("mxc://example.org/id".into()).await.unwrap();
    client.idle(1).await;
    assert_eq!(client.fetch(format!("http://{address}/a")).await.unwrap(), "/a");
    for expected in [request(0, &media), request(1, "/a")] {
        assert_eq!(seen.recv().await, Some(expected));
    }
}
