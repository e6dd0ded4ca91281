//! Other paths of the service.

use http::Method;
use media_cache_test_support::http_client::{media_path, send};
use media_cache_test_support::service_directory::ServiceDirectory;
use serde_json::json;

#[tokio::test]
async fn healthz_reports_alive_and_readyz_reports_ready() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let alive = service.get("/healthz").await;
    assert_eq!((alive.status, alive.json()), (200, json!({ "status": "alive" })));
    // Statistics are available once the cache is loaded.
    service.stats().await;
    let ready = service.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({ "status": "ready", "state": "storing" })));
}

#[tokio::test]
async fn response_to_an_unknown_path_lists_the_known_paths() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    for path in ["/", "/media/", "/media/x", "/stats/x", "/metrics/x"] {
        let said = service.get(path).await.problem(404);
        for there in [path, "/media", "/stats", "/metrics", "/healthz", "/readyz"] {
            assert!(said.contains(there), "{said}");
        }
    }
}

#[tokio::test]
async fn response_to_an_unsupported_method_lists_the_allowed_methods() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let media = media_path("https://nowhere.invalid/a.png");
    for (method, path, allowed) in [
        (Method::POST, media.as_str(), &["DELETE", "GET", "HEAD", "PUT"][..]),
        (Method::PATCH, "/media", &["DELETE", "GET", "HEAD", "PUT"]),
        (Method::POST, "/stats", &["GET", "HEAD"]),
        (Method::DELETE, "/healthz", &["GET", "HEAD"]),
        (Method::PUT, "/readyz", &["GET", "HEAD"]),
    ] {
        let answer = send(service.request(method.clone(), path)).await;
        assert!(answer.problem(405).contains(method.as_str()));
        let mut methods: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods, allowed, "{method} {path}");
    }
}
