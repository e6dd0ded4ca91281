//! `POST /refresh` fetches media again, and keeps the stored media if that fails.

use http::Method;
use media_cache_test_support::cache_directory::media_file;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::{ADMIN_TOKEN, HttpResponse, media_path, send};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::{gif, png};
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;

async fn refresh(service: &Service, url: &str) -> HttpResponse {
    send(service.request(Method::POST, &media_path(url).replacen("/media", "/refresh", 1))).await
}

#[tokio::test]
async fn refresh_replaces_changed_media_and_reports_the_change() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.answers("/a.png", Page::of("image/png", png(1)).with_header("etag", "\"1\""));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    origin.answers("/a.png", Page::status(304).with_header("cache-control", "max-age=60"));
    let answer = refresh(&service, &url).await;
    let said =
        serde_json::json!({ "url": url, "changed": false, "mimetype": "image/png", "filename": "a.png", "size": png(1).len() });
    assert_eq!((answer.status, answer.json()), (200, said));
    let old = service.media(&url).await.is("hit");
    assert_eq!((&old.body[..], old.header("cache-control")), (&png(1)[..], "public, max-age=60"));

    origin.answers("/a.png", Page::of("image/png", png(2)).with_header("etag", "\"2\""));
    let answer = refresh(&service, &url).await;
    assert_eq!((answer.status, &answer.json()["changed"]), (200, &true.into()));
    let new = service.media(&url).await.is("hit");
    assert_eq!((&new.body[..], new.header("cache-control")), (&png(2)[..], "public, max-age=86400"));
    let known = send(service.media_request(Method::GET, &url).header("if-none-match", old.header("etag"))).await;
    assert_eq!(known.is("hit").body, png(2), "a client with the old media gets the new media");
    assert_eq!((dir.holds(&url), std::fs::read(dir.media_file(&url)).unwrap()), (true, png(2)));
    assert_eq!(dir.sidecar(&url)["etag"], "\"2\"");
    let stats = service.stats().await;
    assert_eq!(stats["refreshes"], serde_json::json!({ "changed": 1, "unchanged": 1, "failed": 0 }));
    assert_eq!(origin.requests("/a.png"), 3);
    service.stop().await;
    let service = dir.serve().await;
    assert_eq!(service.media(&url).await.is("hit").body, png(2));
}

#[tokio::test]
async fn refresh_of_an_unknown_url_stores_it() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.answers("/dance.gif", Page::status(404));
    let service = dir.serve().await;
    service.media(&url).await.problem(404);
    origin.serves("/dance.gif", "image/gif", gif(&[10, 20]));
    let answer = refresh(&service, &url).await;
    assert_eq!((answer.status, &answer.json()["changed"]), (200, &true.into()));
    assert_eq!((&answer.json()["mimetype"], &answer.json()["filename"]), (&"video/mp4".into(), &"dance.mp4".into()));
    service.media(&url).await.is("hit");
    // The video is the same if the GIF is the same.
    assert_eq!(refresh(&service, &url).await.json()["changed"], false);
}

#[tokio::test]
async fn failed_refresh_reports_the_reason_and_keeps_the_stored_media() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve_with(&["--retries", "0"]).await;
    service.media(&url).await.is("miss");
    let sidecar = dir.sidecar(&url);
    for (page, status, code) in [
        (Page::status(404), 404, "not-found"),
        (Page::status(500), 502, "origin-status"),
        (Page::of("image/png", png(2)).truncated(), 502, "short-body"),
        (Page::of("text/html", "<!doctype html>"), 415, "unacceptable-type"),
        (Page::of("image/png", png(2)).with_header("cache-control", "no-store"), 507, "no-store"),
    ] {
        origin.answers("/a.png", page);
        let answer = refresh(&service, &url).await;
        assert_eq!(answer.code(), code);
        let detail = answer.problem(status);
        assert!(detail.ends_with("; the stored media, if any, is kept"), "{detail}");
        assert_eq!(service.media(&url).await.is("hit").body, png(1));
        assert_eq!(dir.sidecar(&url), sidecar);
    }
    assert_eq!(service.stats().await["refreshes"]["failed"], 5);
    // The failures are not remembered for other requests.
    service.delete(&url).await;
    origin.serves("/a.png", "image/png", png(3));
    assert_eq!(service.media(&url).await.is("miss").body, png(3));
}

#[tokio::test]
async fn kill_during_the_download_of_a_refresh_keeps_the_stored_media() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    origin.serves("/a.png", "image/png", png(2));
    let latch = origin.hold("/a.png");
    {
        let refresh = refresh(&service, &url);
        let meanwhile = async {
            latch.reached().await;
            assert_eq!(service.media(&url).await.is("hit").body, png(1));
        };
        tokio::select! {
            _ = refresh => panic!("the origin has not answered"),
            () = meanwhile => {}
        }
    }
    service.kill().await;
    let service = dir.serve().await;
    assert_eq!(service.media(&url).await.is("hit").body, png(1));
}

#[tokio::test]
async fn kills_during_refreshes_leave_one_complete_version() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let version = |number: u64| noise(number, 1 << 18);
    let url = origin.serves("/a.bin", "application/octet-stream", version(0));
    let mut service = dir.serve().await;
    let mut stored = service.media(&url).await.is("miss").body;
    for round in 1..4 {
        origin.serves("/a.bin", "application/octet-stream", version(round));
        // The service is killed as soon as the new files appear, or when the refresh is done.
        let is_begun = async {
            let new = media_file(&dir.cache(), &url).with_extension("dat.new.tmp");
            while !new.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = refresh(&service, &url) => assert_eq!(answer.status, 200),
            () = is_begun => {}
        }
        service.kill().await;
        service = dir.serve().await;
        let found = service.media(&url).await.is("hit").body;
        assert!(found == stored || found == version(round), "round {round}");
        assert!(dir.holds(&url) && !dir.names().iter().any(|name| name.contains("new")), "{:?}", dir.names());
        stored = found;
    }
}

#[tokio::test]
async fn refresh_requires_administration_rights_and_a_valid_url() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let anonymous = send(service.anonymous_request(Method::POST, "/refresh?url=https%3A%2F%2Fx.invalid%2Fa")).await;
    anonymous.problem(401);
    for (path, words) in [("/refresh", "`url` is missing"), ("/refresh?url=https%3A%2F%2Fx%2Fa&b=c", "unknown parameter `b`")] {
        let detail = send(service.request(Method::POST, path)).await.problem(400);
        assert!(detail.contains(words), "{detail}");
    }
    send(service.request(Method::POST, "/refresh?url=no-url")).await.problem(400);
    let get = service.anonymous_request(Method::GET, "/refresh?url=https%3A%2F%2Fx.invalid%2Fa");
    send(get.bearer_auth(ADMIN_TOKEN)).await.problem(405);
}

#[tokio::test]
async fn refresh_command_refreshes_through_the_service() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/a.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    origin.serves("/a.png", "image/png", png(2));
    let server = format!("http://{}", service.address());
    let command = async |more: &[&str]| {
        let arguments = [&["refresh", &url, "--server", &server, "--token-file", service.token_file()], more].concat();
        run(&arguments).await
    };
    assert!(command(&[]).await.succeeded_text().starts_with("changed: a.png, image/png, "));
    assert!(command(&[]).await.succeeded_text().starts_with("unchanged: a.png, image/png, "));
    let said: serde_json::Value = serde_json::from_str(&command(&["--json"]).await.succeeded_text()).unwrap();
    assert_eq!((&said["url"], &said["changed"]), (&url.as_str().into(), &false.into()));
    assert_eq!(service.media(&url).await.is("hit").body, png(2));
    origin.answers("/a.png", Page::status(410));
    let failed = command(&[]).await.failed();
    assert!(failed.contains("status 410") && failed.contains("is kept"), "{failed}");
}
