//! Clients that take their time, each in its way: they are closed, and nobody else waits for them.

use crate::client::media_of;
use crate::files::{noise, png};
use crate::origin::Origin;
use crate::place::Place;
use crate::process::{Service, Signal, soon};
use crate::raw::Raw;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

/// Far more than sockets have room for.
const LARGE: usize = 10 << 20;

/// A service whose limits are long, but for those that are said.
async fn serve(place: &Place, limits: &[&str]) -> Service {
    let long = ["--header-timeout-seconds", "--client-idle-seconds", "--slow-client-seconds"];
    let long = long.iter().filter(|name| !limits.contains(name)).flat_map(|name| [name, "3600"]);
    let arguments: Vec<&str> = long.chain(limits.iter().copied()).collect();
    place.serve_with(&arguments).await
}

/// A client that has asked for something large, and has not read any of it.
async fn ask_for_something_large(service: &Service) -> Raw {
    assert!(matches!(service.put(NOWHERE, "image/png", noise(1, LARGE)).await.status, 200 | 201));
    let mut client = Raw::connect_with_little_room(service).await;
    client.send(format!("GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", media_of(NOWHERE))).await;
    client
}

#[tokio::test]
async fn who_says_nothing_is_closed_without_a_word() {
    let place = Place::new();
    let service = serve(&place, &["--header-timeout-seconds", "1"]).await;
    assert_eq!(Raw::connect(&service).await.rest().await, "");
}

#[tokio::test]
async fn half_a_request_is_answered_that_it_took_too_long() {
    let place = Place::new();
    let service = serve(&place, &["--header-timeout-seconds", "1"]).await;
    for half in ["GET /hea", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half: "] {
        let mut client = Raw::connect(&service).await;
        client.send(half).await;
        let said = client.rest().await;
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("longer than 1 s"), "{said}");
    }
}

#[tokio::test]
async fn a_head_that_drips_is_no_better_than_half_a_one() {
    let place = Place::new();
    let service = serve(&place, &["--header-timeout-seconds", "1"]).await;
    let mut client = Raw::connect(&service).await;
    client.send("GET /healthz HTTP/1.1\r\nHost: ").await;
    let said = client.drip().await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[tokio::test]
async fn a_connection_is_kept_for_a_while_and_the_next_head_has_its_own_time() {
    let place = Place::new();
    let service = serve(&place, &["--client-idle-seconds", "1"]).await;
    let mut client = Raw::connect(&service).await;
    for _ in 0..2 {
        client.ask("/healthz").await;
        assert!(client.answer().await.starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(client.rest().await, "", "it is idle, and is closed without a word");
    service.stop().await;
    let service = serve(&place, &["--header-timeout-seconds", "1"]).await;
    let mut client = Raw::connect(&service).await;
    client.ask("/healthz").await;
    client.answer().await;
    // A whole other connection has to time out before this one goes on: it may be idle for longer than a head may take.
    Raw::connect(&service).await.rest().await;
    client.send("GET /hea").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_body_that_drips_or_stops_is_answered_that_it_comes_too_slowly() {
    let place = Place::new();
    let service = serve(&place, &["--slow-client-seconds", "1"]).await;
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut client = Raw::connect(&service).await;
        client.begin_to_put(NOWHERE, framing).await;
        client.send("186A0\r\n").await;
        let said = if framing.starts_with('C') { client.drip().await } else { client.rest().await };
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\r\nconnection: close\r\n"), "{said}");
        assert!(said.contains("fewer than 1024 bytes a second over 1 s"), "{said}");
    }
    assert!(!place.holds(NOWHERE));
}

#[tokio::test]
async fn bodies_beyond_so_many_at_once_are_refused_until_there_is_room_again() {
    let place = Place::new();
    let service = serve(&place, &[]).await;
    let mut senders = Vec::new();
    for _ in 0..64 {
        let mut sender = Raw::connect(&service).await;
        sender.begin_to_put(NOWHERE, "Content-Length: 100000\r\nExpect: 100-continue").await;
        assert_eq!(sender.start(25).await, "HTTP/1.1 100 Continue\r\n\r\n");
        senders.push(sender);
    }
    let refused = service.put(NOWHERE, "image/png", png(1)).await;
    assert!(refused.problem(503).contains("too many bodies"));
    assert_eq!(refused.header("retry-after"), "1");
    senders.pop();
    let stored = async { while service.put(NOWHERE, "image/png", png(1)).await.status != 201 {} };
    soon(stored).await;
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_reset() {
    let place = Place::new();
    for tier in ["0", "64"] {
        let service = serve(&place, &["--slow-client-seconds", "1", "--max-memory-items", tier]).await;
        let mut client = ask_for_something_large(&service).await;
        client.until_reset().await;
        let (taken, whole) = client.sip(1 << 20).await;
        assert!(taken < LARGE && !whole, "{taken} bytes");
        service.stop().await;
    }
}

#[tokio::test]
async fn who_takes_an_answer_by_the_sip_is_too_slow_below_the_least_rate_only() {
    let place = Place::new();
    let limits = ["--slow-client-seconds", "1", "--min-client-rate"];
    // Fifty sips a second, at most.
    let service = serve(&place, &[&limits[..], &["1000000"]].concat()).await;
    let (taken, whole) = ask_for_something_large(&service).await.sip(10_000).await;
    assert!(taken < LARGE && !whole, "{taken} bytes");
    service.stop().await;
    let service = serve(&place, &[&limits[..], &["1000"]].concat()).await;
    let (taken, whole) = ask_for_something_large(&service).await.sip(200_000).await;
    assert!(taken > LARGE && whole, "{taken} bytes");
}

#[tokio::test]
async fn the_time_that_a_client_waits_for_an_origin_does_not_count() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let limits = ["--header-timeout-seconds", "1", "--client-idle-seconds", "1", "--slow-client-seconds", "1"];
    let service = serve(&place, &limits).await;
    let waiting = async {
        gate.reached().await;
        // As long as this takes, any of the limits would have been over.
        for _ in 0..2 {
            assert_eq!(Raw::connect(&service).await.rest().await, "");
        }
        gate.open();
    };
    let (answer, ()) = futures::future::join(service.media(&url), waiting).await;
    assert_eq!(answer.is("miss").body, png(1));
}

#[tokio::test]
async fn a_service_full_of_slow_clients_stops_when_its_grace_is_over() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let service = serve(&place, &["--grace-seconds", "1"]).await;
    let reader = ask_for_something_large(&service).await;
    let (mut silent, mut header, mut body, mut waiting) =
        (Raw::connect(&service).await, Raw::connect(&service).await, Raw::connect(&service).await, Raw::connect(&service).await);
    header.send("GET /healthz HTTP/1.1\r\nHo").await;
    body.begin_to_put(NOWHERE, "Content-Length: 100000").await;
    waiting.ask(&media_of(&url)).await;
    gate.reached().await;
    service.signal(Signal::TERM);
    service.logs("connections are still open after 1 s, and are closed").await;
    gate.open();
    assert_eq!(service.wait().await.code(), Some(0));
    assert_eq!(silent.rest().await, "");
    drop((reader, header, body, waiting));
}
