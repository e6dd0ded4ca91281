//! `PUT` stores what a client has already, `DELETE` makes room for what is new.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answer, head_of_put, media_of};
use crate::files::{frame_times, gif, jpeg, noise, png};
use crate::origin::Origin;
use crate::place::Place;
use crate::process::soon;

const NOWHERE: &str = "https://nowhere.invalid/picture.png";

#[tokio::test]
async fn what_was_put_is_there_without_an_origin() {
    let place = Place::new();
    let service = place.serve().await;
    let answer = service.put(NOWHERE, "image/png", png(1)).await;
    assert_eq!(answer.status, 201);
    let said = serde_json::json!({
        "url": NOWHERE, "known": false, "mimetype": "image/png", "filename": "picture.png", "size": png(1).len(),
    });
    assert_eq!(answer.json(), said);
    let answer = service.media(NOWHERE).await.is("hit");
    assert_eq!((answer.header("content-type"), &answer.body[..]), ("image/png", &png(1)[..]));
    assert_eq!(place.sidecar(NOWHERE)["url"], NOWHERE);
}

#[tokio::test]
async fn the_type_of_a_form_says_nothing_of_what_is_put() {
    let place = Place::new();
    let service = place.serve().await;
    let answer = service.put(NOWHERE, "application/x-www-form-urlencoded", png(1)).await;
    assert_eq!((answer.status, &answer.json()["mimetype"]), (201, &"image/png".into()));
}

#[tokio::test]
async fn a_known_url_keeps_the_older_bytes() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = place.serve().await;
    service.media(&url).await.is("miss");
    let answer = service.put(&url, "image/jpeg", jpeg(2)).await;
    assert_eq!((answer.status, &answer.json()["known"]), (200, &true.into()));
    assert_eq!((&answer.json()["mimetype"], &answer.json()["size"]), (&"image/png".into(), &png(1).len().into()));
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
    assert_eq!(std::fs::read(place.media_file(&url)).unwrap(), png(1));
}

#[tokio::test]
async fn an_animation_that_is_put_becomes_a_film() {
    let place = Place::new();
    let service = place.serve().await;
    let url = "https://nowhere.invalid/dance.gif";
    let answer = service.put(url, "image/gif", gif(&[10, 30])).await;
    assert_eq!(answer.status, 201);
    assert_eq!((&answer.json()["mimetype"], &answer.json()["filename"]), (&"video/mp4".into(), &"dance.mp4".into()));
    let film = service.media(url).await.is("hit");
    assert_eq!((film.header("content-type"), frame_times(&film.body)), ("video/mp4", vec![10, 30]));
    assert_eq!(answer.json()["size"], film.body.len());
}

#[tokio::test]
async fn a_name_can_be_put_along_and_is_cleaned() {
    let place = Place::new();
    let service = place.serve().await;
    let path = format!("{}&filename=..%2F..%2F%C3%A4.png", media_of(NOWHERE));
    let answer = Answer::to(service.request(Method::PUT, &path).body(png(1))).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["filename"], &said["mimetype"]), (201, &"ä.png".into(), &"image/png".into()));
}

#[tokio::test]
async fn a_body_that_cannot_be_stored_is_refused_with_the_reason() {
    let place = Place::new();
    let service = place.serve_with(&["--max-body-mb", "2", "--max-size-mb", "1"]).await;
    let empty = service.put(NOWHERE, "image/png", "").await;
    assert!(empty.problem(400).contains("empty"));
    let oversize = service.put(NOWHERE, "image/png", noise(1, 3 << 19)).await;
    assert!(oversize.problem(413).contains("1048576 bytes"), "{}", oversize.text());
    for url in ["no url at all", "/relative.png", "", "http://"] {
        service.put(url, "image/png", png(1)).await.problem(400);
    }
    assert_eq!((place.disk_use(), service.stats().await["media_cache"]["total_entries"].as_u64()), (0, Some(0)));
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_stored() {
    let place = Place::new();
    let service = place.serve_with(&["--max-body-mb", "1"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", noise(1, 1 << 20)).await.status, 201);
}

#[tokio::test]
async fn a_body_that_announces_more_than_the_limit_is_refused_before_it_is_sent() {
    let place = Place::new();
    let service = place.serve_with(&["--max-body-mb", "1"]).await;
    let mut upload = TcpStream::connect(service.address()).await.unwrap();
    upload.write_all(head_of_put(NOWHERE, (1 << 20) + 1).as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(upload.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("limit of 1048576 bytes"), "{answer}");
}

#[tokio::test]
async fn a_body_of_unknown_length_that_passes_the_limit_is_refused() {
    let place = Place::new();
    let service = place.serve_with(&["--max-body-mb", "1"]).await;
    let pieces = (0..80).map(|seed| Ok::<_, std::io::Error>(noise(seed, 16 << 10)));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let answer = service.put(NOWHERE, "image/png", body).await;
    assert!(answer.problem(413).contains("limit of 1048576 bytes"));
    assert!(!place.holds(NOWHERE));
}

#[tokio::test]
async fn what_was_deleted_is_gone_and_is_fetched_again() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = place.serve().await;
    service.media(&url).await.is("miss");
    let deleted = service.delete(&url).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    assert!(!place.holds(&url));
    service.delete(&url).await.problem(404);
    origin.serves("/picture.png", "image/png", png(2));
    assert_eq!(service.media(&url).await.is("miss").body, png(2));
    assert_eq!(origin.asked("/picture.png"), 2);
}

#[tokio::test]
async fn what_was_deleted_stays_gone_after_a_restart() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = place.serve().await;
    service.media(&url).await.is("miss");
    assert_eq!(service.delete(&url).await.status, 204);
    service.kill().await;
    let service = place.serve().await;
    service.media(&url).await.is("miss");
}
