//! A killed process leaves nothing behind that the next one cannot handle.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use media_cache_test_support::cache_directory::{INDEX_LOG, LOCK};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{photo, png};
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::sha256::sha256;

#[tokio::test]
async fn media_served_before_a_kill_is_stored_after_it() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let urls: Vec<String> = (0..5).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    let service = dir.serve().await;
    for url in &urls {
        service.media(url).await.is("miss");
    }
    service.kill().await;
    let service = dir.serve().await;
    for (url, seed) in urls.iter().zip(0..) {
        assert_eq!(service.media(url).await.is("hit").body, png(seed));
    }
    assert_eq!(origin.total_requests(), 5);
    let load = &service.stats().await["load"];
    assert_eq!((&load["entries"], &load["damaged"]), (&5.into(), &0.into()));
}

#[tokio::test]
async fn kill_during_concurrent_puts_loses_no_acknowledged_put() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let urls: Vec<String> = (0..40).map(|number| format!("https://nowhere.invalid/{number}.png")).collect();
    let mut answered = Vec::new();
    {
        let mut rush: FuturesUnordered<_> = urls
            .iter()
            .enumerate()
            .map(async |(number, url)| (number, service.put(url, "image/png", photo(number as u64)).await.status))
            .collect();
        while answered.len() < 15 {
            let (number, status) = rush.next().await.unwrap();
            assert_eq!(status, 201);
            answered.push(number);
        }
    }
    service.kill().await;
    let service = dir.serve().await;
    service.stats().await;
    for name in dir.names() {
        assert!(!name.ends_with(".tmp"), "{name} was left behind");
    }
    for number in answered {
        assert!(service.media(&urls[number]).await.is("hit").body == photo(number as u64), "{number}");
    }
    // The others may or may not be stored, but none is incomplete.
    assert!(urls.iter().filter(|url| dir.holds(url)).count() >= 15);
}

#[tokio::test]
async fn restart_after_a_kill_removes_partial_files() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
    service.kill().await;
    let name = |url: &str, extension: &str| dir.cache().join(format!("{}.{extension}", sha256(url.as_bytes())));
    // The files that a kill leaves behind between any two steps of storing or removing an entry.
    std::fs::write(name("a", "dat.tmp"), noise(1, 500)).unwrap();
    std::fs::write(name("b", "dat"), noise(2, 500)).unwrap();
    std::fs::write(name("c", "dat"), noise(3, 500)).unwrap();
    std::fs::write(name("c", "json.tmp"), "{").unwrap();
    std::fs::write(dir.cache().join(format!("{INDEX_LOG}.new")), "{").unwrap();
    let service = dir.serve().await;
    let load = &service.stats().await["load"];
    assert_eq!((&load["entries"], &load["leftovers"], &load["damaged"]), (&1.into(), &2.into(), &2.into()));
    let mut expected = vec![format!("{}.dat", sha256(url.as_bytes())), format!("{}.json", sha256(url.as_bytes()))];
    expected.push(LOCK.to_owned());
    expected.sort();
    assert_eq!(dir.names(), expected);
    service.media(&url).await.is("hit");
}

#[tokio::test]
async fn a_kill_during_a_download_leaves_no_files_behind() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    let latch = origin.hold("/picture.png");
    let service = dir.serve().await;
    service.request_and_disconnect(&url, &latch).await;
    service.kill().await;
    latch.open();
    assert_eq!(dir.disk_usage(), 0, "{:?}", dir.names());
    let service = dir.serve().await;
    service.media(&url).await.is("miss");
}

#[tokio::test]
async fn media_file_deleted_or_truncated_externally_is_fetched_again() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let url = origin.serves("/picture.png", "image/png", png(1));
    for damage in [Damage::Gone, Damage::Shorter] {
        let service = dir.serve().await;
        service.media(&url).await;
        service.stop().await;
        let service = dir.serve().await;
        match damage {
            Damage::Gone => std::fs::remove_file(dir.media_file(&url)).unwrap(),
            Damage::Shorter => std::fs::write(dir.media_file(&url), &png(1)[..100]).unwrap(),
        }
        let asked = origin.requests("/picture.png");
        assert_eq!(service.media(&url).await.is("miss").body, png(1));
        assert_eq!(origin.requests("/picture.png"), asked + 1);
        assert_eq!(std::fs::read(dir.media_file(&url)).unwrap(), png(1));
        service.stop().await;
    }
}

enum Damage {
    Gone,
    Shorter,
}
