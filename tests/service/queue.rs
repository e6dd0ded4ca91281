//! How many downloads there are at once, who waits, and what is tried again.

use futures::future::{join, join_all};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;

#[tokio::test]
async fn who_finds_the_queue_full_is_told_to_come_back_and_that_is_not_remembered() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-downloads", "1", "--max-queued-downloads", "0"]).await;
    let (slow, other) = (origin.serves("/slow", "image/png", png(1)), origin.serves("/other", "image/png", png(2)));
    let stored = origin.serves("/stored", "image/png", png(3));
    service.media(&stored).await.is("miss");
    let latch = origin.hold("/slow");
    let meanwhile = async {
        latch.reached().await;
        let answer = service.media(&other).await;
        assert!(answer.problem(503).contains("too many downloads are waiting"), "{}", answer.text());
        assert_eq!((&answer.json()["code"], answer.header("retry-after")), (&"overloaded".into(), "1"));
        service.media(&stored).await.is("hit");
        assert_eq!(origin.requests("/other"), 0);
        latch.open();
    };
    let (answer, ()) = soon(join(service.media(&slow), meanwhile)).await;
    answer.is("miss");
    service.media(&other).await.is("miss");
}

#[tokio::test]
async fn all_who_wait_are_served() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-downloads", "1", "--max-queued-downloads", "38"]).await;
    let urls: Vec<_> = (0..20).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    for (number, answer) in soon(join_all(urls.iter().map(|url| service.media(url)))).await.into_iter().enumerate() {
        assert_eq!(answer.is("miss").body, png(number as u64));
    }
}

#[tokio::test]
async fn what_may_go_better_is_tried_again_as_often_as_was_said() {
    let origin = HttpOrigin::start().await;
    for (arguments, tried) in [(&[][..], 3), (&["--retries", "0"], 1), (&["--retries", "1"], 2)] {
        let dir = ServiceDirectory::create();
        let service = dir.serve_with(arguments).await;
        let path = format!("/broken/{tried}");
        let (broken, missing) = (origin.answers(&path, Page::status(500)), origin.answers("/missing", Page::status(404)));
        let before = origin.requests("/missing");
        service.media(&broken).await.problem(502);
        service.media(&missing).await.problem(404);
        assert_eq!((origin.requests(&path), origin.requests("/missing")), (tried, before + 1), "{arguments:?}");
        assert_eq!(service.stats().await["downloads"]["failed"], 2, "however often it was tried");
    }
}
