//! A service that is told to stop finishes what is under way, takes on nothing new, and writes down what it knows.

use futures::future::join;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::head_of_put;
use crate::files::{png, poster};
use crate::origin::Origin;
use crate::place::{Place, SNAPSHOT};
use crate::process::{Service, Signal, soon};

/// Comes back when new connections are refused.
async fn until_refused(service: &Service) {
    soon(async { while TcpStream::connect(service.address()).await.is_ok() {} }).await;
}

/// Stops a service while a download is under way.
async fn finishes_a_download(signal: Signal) {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let service = place.serve().await;
    let stopping = async {
        gate.reached().await;
        service.signal(signal);
        service.logs("finishing what is under way").await;
        until_refused(&service).await;
        gate.open();
    };
    let (answer, ()) = join(service.media(&url), stopping).await;
    assert_eq!(answer.is("miss").body, png(1));
    assert_eq!(service.wait().await.code(), Some(0));
    assert!(place.holds(&url));
    assert!(place.names().contains(&SNAPSHOT.to_owned()), "{:?}", place.names());
    assert_eq!(place.order().await, [url]);
}

#[tokio::test]
async fn a_termination_signal_lets_a_download_finish_and_its_client_have_it() {
    finishes_a_download(Signal::TERM).await;
}

#[tokio::test]
async fn an_interrupt_lets_a_download_finish_and_its_client_have_it() {
    finishes_a_download(Signal::INT).await;
}

#[tokio::test]
async fn a_download_that_nobody_waits_for_any_more_is_finished_too() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let service = place.serve().await;
    service.ask_and_leave(&url, &gate).await;
    service.signal(Signal::TERM);
    until_refused(&service).await;
    gate.open();
    assert_eq!(service.wait().await.code(), Some(0));
    assert!(place.holds(&url));
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_all_of_it() {
    let (place, poster) = (Place::new(), poster(1));
    let url = "https://nowhere.invalid/poster.png";
    let service = place.serve_with(&["--max-memory-items", "0"]).await;
    assert_eq!(service.put(url, "image/png", poster.clone()).await.status, 201);
    let response = soon(service.about(http::Method::GET, url).send()).await.unwrap();
    service.signal(Signal::TERM);
    until_refused(&service).await;
    assert!(soon(response.bytes()).await.unwrap() == poster);
    assert_eq!(service.wait().await.code(), Some(0));
}

#[tokio::test]
async fn an_upload_that_has_begun_is_stored() {
    let place = Place::new();
    let url = "https://nowhere.invalid/picture.png";
    let service = place.serve().await;
    let mut upload = TcpStream::connect(service.address()).await.unwrap();
    upload.write_all(head_of_put(url, png(1).len()).as_bytes()).await.unwrap();
    let mut go_ahead = [0; 25];
    soon(upload.read_exact(&mut go_ahead)).await.unwrap();
    assert_eq!(&go_ahead, b"HTTP/1.1 100 Continue\r\n\r\n");
    service.signal(Signal::TERM);
    until_refused(&service).await;
    upload.write_all(&png(1)).await.unwrap();
    let mut answer = String::new();
    soon(upload.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(service.wait().await.code(), Some(0));
    assert_eq!(std::fs::read(place.media_file(url)).unwrap(), png(1));
}

#[tokio::test]
async fn connections_on_which_nothing_happens_hold_nothing_up() {
    let place = Place::new();
    let service = place.serve().await;
    let mut silent = TcpStream::connect(service.address()).await.unwrap();
    let mut idle = TcpStream::connect(service.address()).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    soon(idle.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    service.stop().await;
    for connection in [&mut silent, &mut idle] {
        // It may have been closed or reset; what counts is that it ended.
        let _ = soon(connection.read_to_end(&mut Vec::new())).await;
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_what_is_under_way() {
    for second in [Signal::TERM, Signal::INT] {
        let (origin, place) = (Origin::start().await, Place::new());
        let url = origin.serves("/picture.png", "image/png", png(1));
        let gate = origin.hold("/picture.png");
        let service = place.serve().await;
        let asking = tokio::spawn(service.about(http::Method::GET, &url).send());
        gate.reached().await;
        service.signal(Signal::TERM);
        service.logs("finishing what is under way").await;
        service.signal(second);
        service.logs("stopped before everything was finished").await;
        assert_eq!(service.wait().await.code(), Some(1));
        assert!(soon(asking).await.unwrap().is_err());
        assert_eq!(place.disk_use(), 0, "{:?}", place.names());
    }
}

#[tokio::test]
async fn a_request_that_was_never_finished_does_not_hold_up_the_end() {
    let place = Place::new();
    let service = place.serve_with(&["--grace-seconds", "1"]).await;
    let mut connection = TcpStream::connect(service.address()).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    // An answer on another connection: the half request has been seen by now.
    service.stats().await;
    service.stop().await;
}

#[tokio::test]
async fn a_download_that_does_not_end_does_not_hold_up_the_end_either() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let patient = ["--first-byte-seconds", "3600", "--download-seconds", "3600"];
    let service = place.serve_with(&[&["--grace-seconds", "1"][..], &patient].concat()).await;
    let asking = tokio::spawn(service.about(http::Method::GET, &url).send());
    gate.reached().await;
    service.signal(Signal::TERM);
    assert_eq!(service.wait().await.code(), Some(0));
    assert!(soon(asking).await.unwrap().is_err());
    assert_eq!(place.disk_use(), 0, "{:?}", place.names());
}

#[tokio::test]
async fn a_signal_while_the_cache_is_loading_ends_the_service_at_once() {
    let place = Place::new();
    let service = place.serve().await;
    // The address is said before the cache is loaded.
    service.signal(Signal::TERM);
    assert_eq!(service.wait().await.code(), Some(0));
}
