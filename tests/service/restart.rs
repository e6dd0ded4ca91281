//! A restart preserves the state of the cache at the time of the stop.

use media_cache_test_support::cache_directory::INDEX_LOG;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::images::{gif, photo, png};
use media_cache_test_support::service_directory::ServiceDirectory;

#[tokio::test]
async fn restart_finds_every_entry_and_contacts_no_origin() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let mut urls: Vec<String> = (0..5).map(|number| origin.serves(&format!("/{number}.png"), "image/png", png(number))).collect();
    urls.push(origin.serves("/dance.gif", "image/gif", gif(&[10, 20])));
    let service = dir.serve().await;
    let mut before = Vec::new();
    for url in &urls {
        before.push(service.media(url).await.is("miss"));
    }
    service.stop().await;
    let service = dir.serve().await;
    for (url, before) in urls.iter().zip(before) {
        let after = service.media(url).await.is("hit");
        assert_eq!(after.body, before.body);
        for header in ["content-type", "content-disposition", "etag", "last-modified"] {
            assert_eq!(after.header(header), before.header(header), "{header}");
        }
    }
    assert_eq!(origin.total_requests(), 6);
    let load = &service.stats().await["load"];
    assert_eq!((&load["entries"], &load["from_index"], &load["damaged"]), (&6.into(), &6.into(), &0.into()));
}

#[tokio::test]
async fn order_of_use_and_hit_counts_survive_a_restart() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let [a, b, c] = ["/a.png", "/b.png", "/c.png"].map(|path| origin.serves(path, "image/png", png(1)));
    let service = dir.serve().await;
    for url in [&a, &b, &c] {
        service.media(url).await.is("miss");
    }
    service.media(&a).await.is("hit");
    service.stop().await;
    assert_eq!(dir.order().await, [&b, &c, &a].map(String::as_str));

    let service = dir.serve().await;
    service.media(&b).await.is("hit");
    service.media(&a).await.is("hit");
    service.stop().await;
    let listed = dir.listed().await;
    let summary: Vec<_> = listed.iter().map(|entry| (entry["url"].as_str().unwrap(), entry["hits"].as_u64().unwrap())).collect();
    assert_eq!(summary, [(c.as_str(), 0), (b.as_str(), 1), (a.as_str(), 2)]);
}

#[tokio::test]
async fn order_of_use_decides_evictions_after_a_restart() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let urls: Vec<String> = (0..10).map(|number| origin.serves(&format!("/{number}.png"), "image/png", photo(number))).collect();
    let budget = ["--max-size-mb", "2", "--reserved-mb", "1"];
    let service = dir.serve_with(&budget).await;
    for url in &urls[..9] {
        service.media(url).await.is("miss");
    }
    service.media(&urls[0]).await.is("hit");
    service.stop().await;
    let service = dir.serve_with(&budget).await;
    service.media(&urls[9]).await.is("miss");
    let held: Vec<bool> = urls.iter().map(|url| dir.holds(url)).collect();
    assert_eq!(held, (0..10).map(|number| number != 1).collect::<Vec<_>>(), "the least recently used entry was evicted");
}

#[tokio::test]
async fn missing_or_damaged_index_log_loses_no_entry() {
    let dir = ServiceDirectory::create();
    let urls: Vec<String> = (0..3).map(|number| format!("https://nowhere.invalid/{number}.png")).collect();
    let service = dir.serve().await;
    for (url, seed) in urls.iter().zip(0..) {
        assert_eq!(service.put(url, "image/png", png(seed)).await.status, 201);
    }
    service.stop().await;
    let log = dir.cache().join(INDEX_LOG);
    for damage in [None, Some(&b"\xff\x00 this is not it\n{}\n"[..]), Some(b"")] {
        match damage {
            None => std::fs::remove_file(&log).unwrap(),
            Some(bytes) => std::fs::write(&log, bytes).unwrap(),
        }
        let service = dir.serve().await;
        for (url, seed) in urls.iter().zip(0..) {
            assert_eq!(service.media(url).await.is("hit").body, png(seed));
        }
        assert_eq!(service.stats().await["load"]["from_index"], 0);
        service.stop().await;
    }
}

#[tokio::test]
async fn foreign_files_in_the_directory_are_left_unchanged() {
    let dir = ServiceDirectory::create();
    std::fs::create_dir(dir.cache()).unwrap();
    let foreign = ["notes.txt", "picture.dat", "picture.json", "something.tmp"];
    for name in foreign {
        std::fs::write(dir.cache().join(name), "mine").unwrap();
    }
    let service = dir.serve().await;
    assert_eq!(service.stats().await["load"]["damaged"], 0);
    service.stop().await;
    for name in foreign {
        assert_eq!(std::fs::read(dir.cache().join(name)).unwrap(), b"mine", "{name}");
    }
}
