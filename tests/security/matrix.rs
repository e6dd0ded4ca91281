//! Media of Matrix through a homeserver: who is told the token, and who is not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use media_cache::download::{AccessRules, Downloader, FetchError, Homeserver, HttpDownloader, HttpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::place::Place;
use crate::process::run_alone;

const TOKEN: &str = "syt_secret";
const PREFIX: &str = "/_matrix/client/v1/media/download/example.org/";

/// A server that notes the heads of requests. What it answers is in the name of the media.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let (heads, port) = (server.heads.clone(), server.address.port());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let name = head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
                let (status, headers) = match &*name {
                    "lost" => ("404 Not Found", String::new()),
                    "unknown" => ("401 Unauthorized", String::new()),
                    "forbidden" => ("403 Forbidden", String::new()),
                    "elsewhere" => ("307 Go", format!("Location: http://127.88.0.2:{port}/there\r\n")),
                    "itself" => ("308 Go", "Location: /there\r\n".to_owned()),
                    "inside" => ("307 Go", "Location: http://10.0.0.1/there\r\n".to_owned()),
                    _ => ("200 OK", "Content-Type: image/png\r\n".to_owned()),
                };
                heads.lock().unwrap().push(head);
                let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 5\r\nConnection: close\r\n\r\nmedia");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        server
    }

    /// The paths that were asked for since this was last asked, and whether the token was with the request.
    fn asked(&self) -> Vec<(String, bool)> {
        let heads = std::mem::take(&mut *self.heads.lock().unwrap());
        let told = |head: &String| head.contains(&format!("authorization: bearer {TOKEN}\r\n"));
        assert!(heads.iter().all(|head| told(head) || !head.contains("authorization")), "{heads:?}");
        heads.iter().map(|head| (head.split(' ').nth(1).unwrap().to_owned(), told(head))).collect()
    }
}

/// A downloader with a homeserver, and with addresses that may be connected to besides it.
fn downloader(url: &str, allowed: &[&str]) -> HttpDownloader {
    let allow_addresses = allowed.iter().map(|range| range.parse().unwrap()).collect();
    let access = AccessRules { allow_addresses, ..AccessRules::default() };
    let homeserver = Some(Homeserver::new(url.parse().unwrap(), TOKEN).unwrap());
    HttpDownloader::new(HttpOptions { access, homeserver, ..HttpOptions::default() }).unwrap()
}

async fn failure(downloader: &HttpDownloader, url: &str) -> FetchError {
    let error = downloader.fetch(url).await.map(|_| ()).expect_err(url);
    assert!(!error.to_string().contains("secret"), "{error}");
    error
}

#[tokio::test]
async fn the_homeserver_is_told_the_token_wherever_it_is_and_nobody_else_is() {
    let server = Server::start("127.88.0.1").await;
    let base = format!("http://{}", server.address);
    let strict = downloader(&base, &[]);
    assert_eq!(strict.fetch("mxc://example.org/abc").await.unwrap().body.in_memory().unwrap(), "media");
    assert_eq!(server.asked(), [(format!("{PREFIX}abc"), true)]);

    // The exception is for requests to it, and neither for redirects nor for URLs that name it.
    for url in ["mxc://example.org/itself", "mxc://example.org/inside", &format!("{base}/abc"), &format!("{base}{PREFIX}abc")] {
        assert!(matches!(failure(&strict, url).await, FetchError::Refused(_)), "{url}");
    }
    assert_eq!(server.asked(), [(format!("{PREFIX}itself"), true), (format!("{PREFIX}inside"), true)]);

    // Where both may be asked as anybody else, they are, and without the token.
    let lenient = downloader(&base, &["127.0.0.0/8"]);
    for url in ["mxc://example.org/itself", &format!("{base}{PREFIX}abc")] {
        lenient.fetch(url).await.unwrap();
    }
    assert_eq!(server.asked(), [(format!("{PREFIX}itself"), true), ("/there".to_owned(), false), (format!("{PREFIX}abc"), false)]);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_the_token() {
    // All of 127.0.0.0/8 is heard here, so that the other host is at the same port.
    let server = Server::start("0.0.0.0").await;
    let base = format!("http://127.88.0.1:{}", server.address.port());
    let download = downloader(&base, &["127.88.0.2/32"]).fetch("mxc://example.org/elsewhere").await.unwrap();
    assert_eq!(download.body.in_memory().unwrap(), "media");
    assert_eq!(server.asked(), [(format!("{PREFIX}elsewhere"), true), ("/there".to_owned(), false)]);
}

#[tokio::test]
async fn what_the_homeserver_objects_to_is_told() {
    let server = Server::start("127.88.0.1").await;
    let downloader = downloader(&format!("http://{}", server.address), &[]);
    assert_eq!(failure(&downloader, "mxc://example.org/lost").await, FetchError::NotFound);
    for (id, words) in [("unknown", "does not accept the access token"), ("forbidden", "does not give this media")] {
        let error = failure(&downloader, &format!("mxc://example.org/{id}")).await;
        assert!(matches!(&error, FetchError::Other(why) if why.contains(words)), "{error:?}");
    }
    server.asked();
    for url in ["mxc://example.org/../../x", "mxc://example.org/%2e%2e", "mxc://..", "mxc://example.org"] {
        assert!(matches!(failure(&downloader, url).await, FetchError::InvalidUrl(_)), "{url}");
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn the_binary_reads_the_token_from_a_file_and_says_what_is_wrong_with_it() {
    let (server, place) = (Server::start("127.88.0.1").await, Place::new());
    let (base, directory) = (format!("http://{}", server.address), place.directory());
    let directory = directory.to_str().unwrap();
    let good = place.file("token", format!("\n{TOKEN}\n").as_bytes());
    let get = ["get", "mxc://example.org/abc", "--dir", directory];
    let with = |file: &str| [&get[..], &["--matrix-homeserver", &base, "--matrix-token-file", file]].concat().join("\n");
    let run = async |line: String| run_alone(&line.split('\n').collect::<Vec<_>>()).await;

    assert!(run_alone(&get).await.complained().contains("see --matrix-homeserver"));
    for (file, words) in [(place.file("empty", b" \n"), "has no access token in it"), (place.outside("missing"), "cannot read")] {
        let said = run(with(file.to_str().unwrap())).await.complained();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(server.asked(), []);
    assert_eq!(run(with(good.to_str().unwrap())).await.succeeded(), b"media");
    assert_eq!(server.asked(), [(format!("{PREFIX}abc"), true)]);
}
