//! How many downloads there are at once, who waits, and what is tried again.

use futures::future::{join, join_all};

use crate::files::png;
use crate::origin::{Origin, Page};
use crate::place::Place;
use crate::process::soon;

#[tokio::test]
async fn who_finds_the_queue_full_is_told_to_come_back_and_that_is_not_remembered() {
    let (origin, place) = (Origin::start().await, Place::new());
    let service = place.serve_with(&["--max-downloads", "1", "--max-queued-downloads", "0"]).await;
    let (slow, other) = (origin.serves("/slow", "image/png", png(1)), origin.serves("/other", "image/png", png(2)));
    let stored = origin.serves("/stored", "image/png", png(3));
    service.media(&stored).await.is("miss");
    let gate = origin.hold("/slow");
    let meanwhile = async {
        gate.reached().await;
        let answer = service.media(&other).await;
        assert!(answer.problem(503).contains("too many downloads are waiting"), "{}", answer.text());
        assert_eq!((&answer.json()["code"], answer.header("retry-after")), (&"overloaded".into(), "1"));
        service.media(&stored).await.is("hit");
        assert_eq!(origin.asked("/other"), 0);
        gate.open();
    };
    let (answer, ()) = soon(join(service.media(&slow), meanwhile)).await;
    answer.is("miss");
    service.media(&other).await.is("miss");
}

#[tokio::test]
async fn all_who_wait_are_served() {
    let (origin, place) = (Origin::start().await, Place::new());
    let service = place.serve_with(&["--max-downloads", "1", "--max-queued-downloads", "38"]).await;
    let urls: Vec<_> = (0..20).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    for (number, answer) in soon(join_all(urls.iter().map(|url| service.media(url)))).await.into_iter().enumerate() {
        assert_eq!(answer.is("miss").body, png(number as u64));
    }
}

#[tokio::test]
async fn what_may_go_better_is_tried_again_as_often_as_was_said() {
    let origin = Origin::start().await;
    for (arguments, tried) in [(&[][..], 3), (&["--retries", "0"], 1), (&["--retries", "1"], 2)] {
        let place = Place::new();
        let service = place.serve_with(arguments).await;
        let path = format!("/broken/{tried}");
        let (broken, missing) = (origin.answers(&path, Page::status(500)), origin.answers("/missing", Page::status(404)));
        let before = origin.asked("/missing");
        service.media(&broken).await.problem(502);
        service.media(&missing).await.problem(404);
        assert_eq!((origin.asked(&path), origin.asked("/missing")), (tried, before + 1), "{arguments:?}");
        assert_eq!(service.stats().await["downloads"]["failed"], 2, "however often it was tried");
    }
}
