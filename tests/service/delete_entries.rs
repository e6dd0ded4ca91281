//! `DELETE /entries`.

use http::Method;
use media_cache_test_support::http_client::{HttpResponse, send};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use serde_json::json;

const URLS: [&str; 4] =
    ["https://a.invalid/1.png", "https://a.invalid/2.png", "https://cdn.a.invalid/1.png", "https://b.invalid/1.png"];

/// A service with four entries.
async fn service(dir: &ServiceDirectory) -> Service {
    let service = dir.serve().await;
    for url in URLS {
        assert_eq!(service.put(url, "image/png", png(1)).await.status, 201);
    }
    service
}

async fn delete(service: &Service, query: &str) -> HttpResponse {
    send(service.request(Method::DELETE, &format!("/entries?{query}"))).await
}

#[tokio::test]
async fn entries_are_deleted_by_host_by_prefix_or_all_at_once() {
    let dir = ServiceDirectory::create();
    let service = service(&dir).await;
    for (query, removed, left) in [
        ("host=A.invalid", 2, &URLS[2..]),
        ("host=a.invalid", 0, &URLS[2..]),
        ("prefix=https%3A%2F%2Fb.invalid%2F", 1, &URLS[2..3]),
        ("all=true", 1, &[]),
    ] {
        let answer = delete(&service, query).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "removed": removed })), "{query}");
        assert!(URLS.iter().all(|url| dir.holds(url) == left.contains(url)), "{query}");
    }
    assert_eq!(service.stats().await["media_cache"]["total_entries"], 0);
}

#[tokio::test]
async fn invalid_filter_deletes_nothing() {
    let dir = ServiceDirectory::create();
    let service = service(&dir).await;
    for (query, words) in [
        ("", "exactly one of"),
        ("host=a.invalid&all=true", "exactly one of"),
        ("host=https%3A%2F%2Fa.invalid", "write a name such as cdn.example.org"),
        ("url=https%3A%2F%2Fa.invalid%2F1.png", "the parameters are `host`, `prefix` and `all`"),
    ] {
        assert!(delete(&service, query).await.problem(400).contains(words), "{query}");
    }
    assert!(URLS.iter().all(|url| dir.holds(url)));
}

#[tokio::test]
async fn delete_reports_how_many_entries_could_not_be_removed() {
    let dir = ServiceDirectory::create();
    let service = service(&dir).await;
    let media = dir.media_file(URLS[0]);
    std::fs::remove_file(&media).unwrap();
    std::fs::create_dir(&media).unwrap();
    let answer = delete(&service, "host=a.invalid").await;
    assert_eq!(answer.json()["code"], "not-deleted");
    let detail = answer.problem(500);
    assert!(detail.contains("1 of 2 entries were not removed: "), "{detail}");
    assert!(!dir.holds(URLS[1]));
}
