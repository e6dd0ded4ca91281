//! Concurrent requests for the same URL contact the origin once.

use futures::future::join_all;
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::{gif, png};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use serde_json::Value;

/// Waits until a counter in `/stats` is `number`.
async fn until(service: &Service, counter: [&str; 2], number: u64) {
    soon(async {
        let reached = |stats: Value| stats[counter[0]][counter[1]].as_u64().unwrap() >= number;
        while !reached(service.stats().await) {}
    })
    .await;
}

#[tokio::test]
async fn one_hundred_concurrent_requests_reach_the_origin_once() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    let asking = join_all((0..100).map(|_| service.media(&url)));
    let opening = async {
        until(&service, ["downloads", "coalesced"], 99).await;
        latch.open();
    };
    let (answers, ()) = soon(futures::future::join(asking, opening)).await;
    for answer in answers {
        assert_eq!(answer.is("miss").body, png(1));
    }
    assert_eq!(origin.requests("/picture.png"), 1);
    let stats = service.stats().await;
    assert_eq!((&stats["media_cache"]["misses"], &stats["downloads"]["succeeded"]), (&100.into(), &1.into()));
}

#[tokio::test]
async fn concurrent_requests_for_a_gif_convert_it_once() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/dance.gif", "image/gif", gif(&[10, 20]));
    let service = dir.serve().await;
    let answers = soon(join_all((0..20).map(|_| service.media(&url)))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body));
    assert_eq!(origin.requests("/dance.gif"), 1);
    assert_eq!(service.stats().await["transcoding"]["succeeded"], 1);
}

#[tokio::test]
async fn every_coalesced_request_receives_the_failure() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.answers("/picture.png", Page::status(410));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    let asking = join_all((0..10).map(|_| service.media(&url)));
    let opening = async {
        until(&service, ["downloads", "coalesced"], 9).await;
        latch.open();
    };
    let (answers, ()) = soon(futures::future::join(asking, opening)).await;
    for answer in answers {
        answer.problem(410);
    }
    assert_eq!(origin.requests("/picture.png"), 1);
}

#[tokio::test]
async fn slow_download_does_not_delay_requests_for_other_urls() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let slow = origin.serves("/slow.png", "image/png", png(1));
    let quick = origin.serves("/quick.png", "image/png", png(2));
    let latch = origin.hold("/slow.png");
    let service = dir.serve().await;
    let others = async {
        latch.reached().await;
        service.media(&quick).await.is("miss");
        service.media(&quick).await.is("hit");
        latch.open();
    };
    let (answer, ()) = soon(futures::future::join(service.media(&slow), others)).await;
    answer.is("miss");
}

#[tokio::test]
async fn download_continues_after_its_client_disconnects() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    service.request_and_disconnect(&url, &latch).await;
    latch.open();
    until(&service, ["storage", "stored"], 1).await;
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
    assert_eq!(origin.requests("/picture.png"), 1);
}
