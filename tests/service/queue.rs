//! Limits on concurrent downloads, the wait queue, and retries.

use futures::future::{join, join_all};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::raw_origin::{RawOrigin, Step};
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;

use crate::scrape::Scrape;

#[tokio::test]
async fn download_refused_by_a_full_queue_has_retry_after_and_is_not_remembered() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-downloads", "1", "--max-queued-downloads", "0"]).await;
    let (slow, other) = (origin.serves("/slow", "image/png", png(1)), origin.serves("/other", "image/png", png(2)));
    let stored = origin.serves("/stored", "image/png", png(3));
    service.media(&stored).await.is("miss");
    let latch = origin.hold("/slow");
    let meanwhile = async {
        latch.reached().await;
        let answer = service.media(&other).await;
        assert!(answer.problem(503).contains("there is no capacity for this download at the moment"), "{}", answer.text());
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
async fn all_queued_downloads_are_served() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--max-downloads", "1", "--max-queued-downloads", "38"]).await;
    let urls: Vec<_> = (0..20).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    for (number, answer) in soon(join_all(urls.iter().map(|url| service.media(url)))).await.into_iter().enumerate() {
        assert_eq!(answer.is("miss").body, png(number as u64));
    }
}

#[tokio::test]
async fn transient_failures_are_retried_as_often_as_configured() {
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
        assert_eq!(service.stats().await["downloads"]["failed"], 2, "regardless of the number of attempts");
    }
}

async fn gauge(service: &Service, name: &str) -> f64 {
    Scrape::of(service).await.sum(name, &[])
}

#[tokio::test]
async fn slow_downloads_from_one_address_do_not_delay_others() {
    let (slow, fast, dir) = (RawOrigin::start().await, HttpOrigin::start_at("127.0.0.2").await, ServiceDirectory::create());
    slow.follows("/hangs", &[Step::Stall]);
    let service = dir.serve().await;
    let urls: Vec<String> = (0..80).map(|number| format!("http://n{number}.localhost:{}/hangs", slow.port())).collect();
    let hanging = join_all(urls.iter().map(|url| service.media(url)));
    let others = async {
        let waiting = "media_cache_wait_queue_for_address";
        soon(async { while gauge(&service, waiting).await < 64.0 {} }).await;
        for number in 0..20 {
            let picture = fast.serves(&format!("/{number}.png"), "image/png", png(number));
            service.media(&picture).await.is("miss");
        }
        assert_eq!(slow.requests("/hangs"), 16, "the limit for one address");
        assert_eq!(gauge(&service, "media_cache_download_permits_in_use").await, 16.0);
    };
    tokio::select! {
        answers = hanging => panic!("{answers:?}"),
        () = others => {}
    }
}

#[tokio::test]
async fn slow_downloads_from_one_domain_do_not_delay_others() {
    let (slow, dir) = (RawOrigin::start().await, ServiceDirectory::create());
    slow.follows("/hangs", &[Step::Stall]);
    let fast = HttpOrigin::start().await;
    let limits = ["--max-downloads", "3", "--max-downloads-per-domain", "2", "--max-downloads-per-host", "1"];
    let service = dir.serve_with(&limits).await;
    let urls: Vec<String> = ["a", "b", "c", "d"].map(|name| format!("http://{name}.x.localhost:{}/hangs", slow.port())).into();
    let hanging = join_all(urls.iter().map(|url| service.media(url)));
    let others = async {
        let waiting = "media_cache_wait_queue_for_domain";
        soon(async { while gauge(&service, waiting).await < 2.0 {} }).await;
        service.media(&fast.serves("/a.png", "image/png", png(1))).await.is("miss");
    };
    tokio::select! {
        answers = hanging => panic!("{answers:?}"),
        () = others => {}
    }
}
