//! The counters of `/stats`.

use http::Method;
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{jpeg, photo, png, poster};
use media_cache_test_support::service_directory::ServiceDirectory;
use serde_json::Value;

const NOWHERE: &str = "https://nowhere.invalid/picture.jpg";

#[tokio::test]
async fn stats_count_requests_downloads_and_entries() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let photos: Vec<String> = (0..2).map(|number| origin.serves(&format!("/{number}.png"), "image/png", photo(number))).collect();
    let service = dir.serve().await;
    for url in &photos {
        service.media(url).await.is("miss");
    }
    assert_eq!(service.put(NOWHERE, "image/jpeg", jpeg(1)).await.status, 201);
    for url in [&photos[0], &photos[0], NOWHERE] {
        service.media(url).await.is("hit");
    }
    send(service.media_request(Method::HEAD, &photos[1])).await.is("hit");
    service.media(&origin.url("/missing.png")).await.problem(404);
    assert_eq!(service.delete(&photos[1]).await.status, 204);

    let document = service.stats().await;
    let bytes = (photo(0).len() + jpeg(1).len()) as u64;
    let stats = &document["media_cache"];
    assert_eq!(stats["total_entries"], 2);
    assert_eq!(stats["in_memory_entries"], 2);
    assert_eq!(stats["total_bytes"], bytes);
    assert_eq!(stats["total_mb"], (bytes as f64 / 1_048_576.0 * 100.0).round() / 100.0);
    assert_eq!(stats["disk_bytes"], dir.disk_usage());
    assert_eq!(stats["max_size_mb"], 500.0);
    assert_eq!((&stats["hits"], &stats["misses"]), (&4.into(), &3.into()));
    assert_eq!(stats["hit_rate"], 0.5714);
    assert_eq!(document["storage"]["stored"], 3);
    assert_eq!((&document["downloads"]["succeeded"], &document["downloads"]["failed"]), (&2.into(), &1.into()));
}

#[tokio::test]
async fn stats_have_the_documented_keys_from_the_start() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-size-mb", "7"]).await;
    let stats = &service.stats().await["media_cache"];
    for key in ["total_entries", "in_memory_entries", "total_bytes", "disk_bytes", "hits", "misses"] {
        assert_eq!(stats[key].as_u64(), Some(0), "{key} is a whole number");
    }
    for (key, number) in [("total_mb", 0.0), ("max_size_mb", 7.0), ("hit_rate", 0.0)] {
        assert_eq!(stats[key].as_f64(), Some(number), "{key}");
    }
}

#[tokio::test]
async fn only_resident_media_counts_as_in_memory() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-memory-items", "2"]).await;
    for number in 0..5 {
        let url = format!("https://nowhere.invalid/{number}.png");
        assert_eq!(service.put(&url, "image/png", png(number)).await.status, 201);
    }
    let stats = &service.stats().await["media_cache"];
    assert_eq!((&stats["total_entries"], &stats["in_memory_entries"]), (&5.into(), &2.into()));
    service.media("https://nowhere.invalid/0.png").await.is("hit");
    let stats = &service.stats().await["media_cache"];
    assert_eq!((&stats["in_memory_entries"], &stats["disk_hits"]), (&2.into(), &1.into()));
    assert_eq!(stats["memory_bytes"], png(0).len() + png(4).len());
}

#[tokio::test]
async fn reading_the_stats_changes_no_counter() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    service.put(NOWHERE, "image/jpeg", jpeg(1)).await;
    let without_time = |mut document: Value| {
        document["policy"].as_object_mut().unwrap().remove("seconds");
        // The file that the PUT left open is closed at an unpredictable time.
        document["media_cache"].as_object_mut().unwrap().remove("other_disk_bytes");
        document
    };
    let first = without_time(service.stats().await);
    service.get("/healthz").await;
    service.get("/readyz").await;
    assert_eq!(without_time(service.stats().await), first);
}

#[tokio::test]
async fn large_entry_is_resident_as_an_open_file_without_memory_bytes() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-memory-mb", "16"]).await;
    assert_eq!(service.put(NOWHERE, "image/png", poster(1)).await.status, 201);
    service.media(NOWHERE).await.is("hit");
    let stats = &service.stats().await["media_cache"];
    assert_eq!((&stats["in_memory_entries"], &stats["memory_bytes"]), (&0.into(), &0.into()));
    assert_eq!(stats["total_bytes"], poster(1).len());
}
