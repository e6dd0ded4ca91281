//! The disk budget, compared with the real files.

use futures::future::{Either, join_all, select};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::photo;
use media_cache_test_support::random::noise;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::soon::soon;

const MIB: u64 = 1 << 20;

/// The part of a 1 MiB budget that is available to entries. The rest is reserved.
const ENTRIES: u64 = MIB / 8 * 7;

/// A file of 100 KB and its sidecar, in blocks of 4 KiB.
const ON_DISK: u64 = 25 * 4096 + 4096;

#[tokio::test]
async fn files_stay_within_the_budget_and_the_oldest_are_evicted_first() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let path = |number: u64| format!("/{number}.png");
    let urls: Vec<String> = (0..30).map(|number| origin.serves(&path(number), "image/png", photo(number))).collect();
    let service = dir.serve_with(&["--max-size-mb", "1"]).await;
    for url in &urls {
        service.media(url).await.is("miss");
        assert!(dir.disk_usage() <= ENTRIES, "{}", dir.disk_usage());
    }
    let fitting = (ENTRIES / ON_DISK) as usize;
    let held: Vec<bool> = urls.iter().map(|url| dir.holds(url)).collect();
    assert_eq!(held, (0..30).map(|number| number >= 30 - fitting).collect::<Vec<_>>(), "the last {fitting} entries are stored");
    let stats = service.stats().await;
    assert_eq!(stats["storage"]["evictions"], 30 - fitting);
    assert_eq!(stats["media_cache"]["disk_bytes"], dir.disk_usage());

    service.media(&urls[29]).await.is("hit");
    service.media(&urls[0]).await.is("miss");
    assert_eq!((origin.requests(&path(0)), origin.requests(&path(29))), (2, 1));
    assert!(dir.disk_usage() <= ENTRIES);
}

#[tokio::test]
async fn frequently_requested_entry_outlives_entries_requested_once() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let urls: Vec<String> = (0..30).map(|number| origin.serves(&format!("/{number}.png"), "image/png", photo(number))).collect();
    let service = dir.serve_with(&["--max-size-mb", "1"]).await;
    service.media(&urls[0]).await.is("miss");
    for url in &urls[1..] {
        service.media(url).await.is("miss");
        service.media(&urls[0]).await.is("hit");
    }
    assert_eq!(origin.requests("/0.png"), 1);
}

#[tokio::test]
async fn disk_usage_stays_within_the_budget_throughout_concurrent_puts() {
    let dir = ServiceDirectory::create();
    let service = dir.serve_with(&["--max-size-mb", "1"]).await;
    let urls: Vec<String> = (0..60).map(|number| format!("https://nowhere.invalid/{number}.png")).collect();
    let mut rush = Box::pin(join_all(urls.iter().zip(0..).map(|(url, seed)| service.put(url, "image/png", photo(seed)))));
    let mut most = 0;
    // Measures the directory after each poll of the requests.
    let answers = soon(async {
        loop {
            match select(rush, Box::pin(tokio::task::yield_now())).await {
                Either::Left((answers, _)) => return answers,
                Either::Right(((), going_on)) => rush = going_on,
            }
            most = most.max(dir.disk_usage());
        }
    })
    .await;
    most = most.max(dir.disk_usage());
    assert!((MIB / 2..=ENTRIES).contains(&most), "{most} bytes at most");
    // A PUT that finds all space taken by entries that are being written waits for them.
    assert!(
        answers.iter().all(|answer| answer.status == 201),
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    assert_eq!(service.stats().await["media_cache"]["disk_bytes"], dir.disk_usage());
}

#[tokio::test]
async fn media_larger_than_the_budget_is_served_but_not_stored() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let video = noise(1, 3 << 19);
    let url = origin.serves("/film.mp4", "video/mp4", video.clone());
    let small = origin.serves("/small.png", "image/png", photo(1));
    let service = dir.serve_with(&["--max-size-mb", "1"]).await;
    service.media(&small).await.is("miss");
    for _ in 0..2 {
        assert!(service.media(&url).await.is("miss").body == video);
    }
    assert_eq!(origin.requests("/film.mp4"), 2);
    assert!(!dir.holds(&url) && dir.holds(&small), "nothing was evicted unnecessarily");
    assert_eq!(service.stats().await["storage"]["oversize"], 2);
}

#[tokio::test]
async fn restart_with_a_smaller_budget_evicts_entries_while_loading() {
    let dir = ServiceDirectory::create();
    let service = dir.serve().await;
    let urls: Vec<String> = (0..20).map(|number| format!("https://nowhere.invalid/{number}.png")).collect();
    for (url, seed) in urls.iter().zip(0..) {
        assert_eq!(service.put(url, "image/png", photo(seed)).await.status, 201);
    }
    assert!(dir.disk_usage() > MIB);
    service.stop().await;
    let service = dir.serve_with(&["--max-size-mb", "1"]).await;
    let stats = service.stats().await;
    assert!(dir.disk_usage() <= ENTRIES, "{}", dir.disk_usage());
    let fitting = ENTRIES / ON_DISK;
    assert_eq!((&stats["load"]["entries"], &stats["load"]["evicted"]), (&fitting.into(), &(20 - fitting).into()));
    assert!(dir.holds(&urls[19]) && !dir.holds(&urls[0]));
}
