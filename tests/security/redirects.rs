//! Redirects: each hop is checked as if it had been asked for.

use std::net::SocketAddr;
use std::sync::Arc;

use media_cache::download::{Downloader, FetchError};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use url::Url;

use crate::inside::Inside;
use crate::resolver::{Names, downloader};
use crate::vectors::all;

/// An address of this machine that none of the vectors has; what is denied may be at the others.
const HERE: &str = "127.99.0.1";
const ONLY_HERE: &str = "127.99.0.1/32";

/// An origin that sends `/302/x` on to `x`, percent-encoded, and answers everything else with `here`.
struct Origin {
    address: SocketAddr,
    asked: UnboundedReceiver<String>,
}

impl Origin {
    async fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let (asks, asked) = unbounded_channel();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = match path.split('/').collect::<Vec<_>>()[..] {
                    ["", status @ ("301" | "302" | "303" | "307" | "308"), location] => {
                        let location = percent_decode_str(location).decode_utf8().unwrap();
                        format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    }
                    _ => "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere".into(),
                };
                let _ = asks.send(path);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, asked }
    }

    /// A URL here that is redirected.
    fn to(&self, status: u16, location: &str) -> String {
        format!("http://{}/{status}/{}", self.address, utf8_percent_encode(location, NON_ALPHANUMERIC))
    }

    /// How often anything was asked for since this was last asked.
    fn asked(&mut self) -> usize {
        std::iter::from_fn(|| self.asked.try_recv().ok()).count()
    }
}

#[tokio::test]
async fn a_chain_of_redirects_ends_before_an_address_that_is_denied() {
    let (mut origin, names) = (Origin::start(HERE).await, Arc::new(Names::default()));
    let downloader = downloader(&names, &[ONLY_HERE]);
    let statuses = [301, 302, 303, 307, 308].into_iter().cycle();
    for (vector, status) in all().iter().filter(|vector| !vector.allowed && vector.address().is_some()).zip(statuses) {
        let (url, name) = (vector.url(), format!("{status}.example"));
        let scheme_relative = url.strip_prefix("http:").unwrap();
        names.answer(&name, &[&[vector.text]]);
        let through_another = origin.to(status, &url);
        for location in [&*url, scheme_relative, &through_another] {
            let hops = if location == through_another { 2 } else { 1 };
            match downloader.fetch(&origin.to(status, location)).await.map(|_| ()) {
                Err(FetchError::Refused(why)) => {
                    assert!(why.contains("redirected") && !why.contains("secret"), "{location}: {why}")
                }
                other => panic!("{location}: {other:?}"),
            }
            assert_eq!((origin.asked(), names.asked()), (hops, vec![]), "{location}");
        }
        match downloader.fetch(&origin.to(status, &format!("http://{name}/?secret"))).await.map(|_| ()) {
            Err(FetchError::Refused(why)) => assert!(why.contains(&name) && !why.contains("secret"), "{why}"),
            other => panic!("{name} at {}: {other:?}", vector.text),
        }
        assert_eq!((origin.asked(), names.asked()), (1, vec![name]), "{}", vector.text);
    }
}

#[tokio::test]
async fn no_url_that_is_refused_first_is_followed_either() {
    let (mut origin, names) = (Origin::start(HERE).await, Arc::new(Names::default()));
    let downloader = downloader(&names, &[ONLY_HERE]);
    // Without a host in it, it is a path of the origin's own.
    let base = Url::parse(&origin.to(302, "")).unwrap();
    let stays = |text: &str| text.starts_with("//") || base.join(text).is_ok_and(|url| url.host() == base.host());
    let mut tried = 0;
    for vector in all().iter().filter(|vector| !vector.allowed && vector.address().is_none() && !stays(vector.text)) {
        let error = downloader.fetch(&origin.to(302, vector.text)).await.map(|_| ()).expect_err(vector.text);
        assert!(matches!(error, FetchError::Refused(_) | FetchError::Other(_)), "{}: {error:?}", vector.text);
        assert_eq!((origin.asked(), names.asked()), (1, vec![]), "{}", vector.text);
        tried += 1;
    }
    assert!(tried > 100);
}

#[tokio::test]
async fn a_redirect_to_where_one_may_go_is_followed_however_it_is_written() {
    let (mut origin, names) = (Origin::start(HERE).await, Arc::new(Names::default()));
    let downloader = downloader(&names, &[ONLY_HERE]);
    let port = origin.address.port();
    names.answer("here.example", &[&[HERE]]);
    let locations = ["/there", "../there", "/there?x", &format!("//{HERE}:{port}/"), &format!("http://here.example:{port}/")];
    for status in [301, 302, 303, 307, 308] {
        for location in locations {
            let download = downloader.fetch(&origin.to(status, location)).await.unwrap();
            assert_eq!(download.body.in_memory().unwrap(), "here", "{status} to {location}");
            assert_eq!(origin.asked(), 2, "{status} to {location}");
        }
    }
}

#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    let (mut origin, names) = (Origin::start(HERE).await, Arc::new(Names::default()));
    let port = origin.address.port();
    let inside = Inside::new(&format!("127.0.0.1:{port}"));
    let downloader = downloader(&names, &[ONLY_HERE]);

    // Whoever connects asks once, and connects to what was checked.
    names.answer("rebinding.example", &[&[HERE], &["127.0.0.1"]]);
    let url = format!("http://rebinding.example:{port}/");
    assert_eq!(downloader.fetch(&url).await.unwrap().body.in_memory().unwrap(), "here");
    assert_eq!((names.asked().len(), origin.asked()), (1, 1));
    for _ in 0..3 {
        let error = downloader.fetch(&url).await.map(|_| ()).unwrap_err();
        assert!(matches!(&error, FetchError::Refused(why) if why.starts_with("rebinding.example")), "{error:?}");
    }

    // And so it is where the name changes its address between two hops.
    names.answer("hops.example", &[&[HERE], &["127.0.0.1"]]);
    let location = utf8_percent_encode("/again", NON_ALPHANUMERIC).to_string();
    let error = downloader.fetch(&format!("http://hops.example:{port}/302/{location}")).await.map(|_| ()).unwrap_err();
    assert!(matches!(&error, FetchError::Refused(why) if why.starts_with("hops.example")), "{error:?}");
    assert_eq!(origin.asked(), 1);

    inside.heard_nothing();
}
