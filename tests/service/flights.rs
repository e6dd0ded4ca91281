//! However many ask for the same URL at once, the origin is asked once.

use futures::future::join_all;
use serde_json::Value;

use crate::files::{gif, png};
use crate::origin::Origin;
use crate::place::Place;
use crate::process::{Service, soon};

/// Comes back when a counter in `/stats` stands at `number`.
async fn until(service: &Service, counter: [&str; 2], number: u64) {
    soon(async {
        let reached = |stats: Value| stats[counter[0]][counter[1]].as_u64().unwrap() >= number;
        while !reached(service.stats().await) {}
    })
    .await;
}

#[tokio::test]
async fn a_hundred_requests_at_once_reach_the_origin_once() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let service = place.serve().await;
    let asking = join_all((0..100).map(|_| service.media(&url)));
    let opening = async {
        until(&service, ["downloads", "joined"], 99).await;
        gate.open();
    };
    let (answers, ()) = soon(futures::future::join(asking, opening)).await;
    for answer in answers {
        assert_eq!(answer.is("miss").body, png(1));
    }
    assert_eq!(origin.asked("/picture.png"), 1);
    let stats = service.stats().await;
    assert_eq!((&stats["media_cache"]["misses"], &stats["downloads"]["succeeded"]), (&100.into(), &1.into()));
}

#[tokio::test]
async fn an_animation_that_many_ask_for_is_made_a_film_once() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/dance.gif", "image/gif", gif(&[10, 20]));
    let service = place.serve().await;
    let answers = soon(join_all((0..20).map(|_| service.media(&url)))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    assert_eq!(origin.asked("/dance.gif"), 1);
    assert_eq!(service.stats().await["transcoding"]["succeeded"], 1);
}

#[tokio::test]
async fn a_failure_reaches_everybody_who_waits() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.answers("/picture.png", crate::origin::Page::status(410));
    let gate = origin.hold("/picture.png");
    let service = place.serve().await;
    let asking = join_all((0..10).map(|_| service.media(&url)));
    let opening = async {
        until(&service, ["downloads", "joined"], 9).await;
        gate.open();
    };
    let (answers, ()) = soon(futures::future::join(asking, opening)).await;
    for answer in answers {
        answer.problem(410);
    }
    assert_eq!(origin.asked("/picture.png"), 1);
}

#[tokio::test]
async fn a_slow_origin_holds_nobody_else_up() {
    let (origin, place) = (Origin::start().await, Place::new());
    let slow = origin.serves("/slow.png", "image/png", png(1));
    let quick = origin.serves("/quick.png", "image/png", png(2));
    let gate = origin.hold("/slow.png");
    let service = place.serve().await;
    let others = async {
        gate.reached().await;
        service.media(&quick).await.is("miss");
        service.media(&quick).await.is("hit");
        gate.open();
    };
    let (answer, ()) = soon(futures::future::join(service.media(&slow), others)).await;
    answer.is("miss");
}

#[tokio::test]
async fn a_download_goes_on_when_who_asked_for_it_goes_away() {
    let (origin, place) = (Origin::start().await, Place::new());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let gate = origin.hold("/picture.png");
    let service = place.serve().await;
    service.ask_and_leave(&url, &gate).await;
    gate.open();
    until(&service, ["storage", "stored"], 1).await;
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
    assert_eq!(origin.asked("/picture.png"), 1);
}
