//! Only the index log records the order of use and the hits. It is derived data: whatever happens to it, no entry is lost or changed.

use std::fs;
use std::time::Duration;

use media_cache::{CacheError, Health, StoreError};
use media_cache_test_support::cache_directory::{INDEX_LOG, copy_files, disk_usage, media_file, sidecar_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{Found, entries, found, order, stats};
use media_cache_test_support::scripted_origin::text;

#[tokio::test]
async fn order_hits_and_times_survive_a_restart() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    // All are stored at the same time, so only the log records their order.
    fill(&cache, &["test:a", "test:b", "test:c", "test:d"]).await;
    for url in ["test:c", "test:a", "test:a"] {
        cache.get(url).await.unwrap().unwrap();
    }
    let before = entries(&cache).await;
    cache.close().await.unwrap();
    let cache = rig.open().await;
    let after = entries(&cache).await;
    assert_eq!(order(&cache).await, ["test:b", "test:d", "test:c", "test:a"]);
    assert_eq!(after.iter().map(|entry| entry.hits).collect::<Vec<_>>(), [0, 0, 1, 2]);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.stored_at, before.accessed_at), (after.stored_at, after.accessed_at));
        assert_eq!((before.size, before.disk_size), (after.size, after.disk_size));
    }
}

#[tokio::test]
async fn buffered_hits_survive_closing_the_cache() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b"]).await;
    for _ in 0..3 {
        cache.get("test:a").await.unwrap().unwrap();
    }
    cache.close().await.unwrap();
    let cache = rig.open().await;
    assert_eq!(order(&cache).await, ["test:b", "test:a"]);
    assert_eq!(entries(&cache).await[1].hits, 3);
}

#[tokio::test]
async fn buffered_hits_survive_dropping_the_last_clone() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b"]).await;
    for _ in 0..3 {
        cache.get("test:a").await.unwrap().unwrap();
    }
    drop(cache);
    let cache = rig.open_when_free().await;
    assert_eq!(order(&cache).await, ["test:b", "test:a"]);
    assert_eq!(entries(&cache).await[1].hits, 3);
}

#[tokio::test]
async fn concurrent_checkpoints_succeed_and_cover_every_entry() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let urls: Vec<String> = (0..300).map(|number| format!("test:{number}")).collect();
    fill(&cache, &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for written in futures::future::join_all((0..20).map(|_| cache.checkpoint())).await {
        written.unwrap();
    }
    let copy = rig.root().join("copy");
    copy_files(&rig.directory(), &copy);
    let after = rig.open_with(|builder| builder.directory(&copy)).await;
    assert_eq!(found(&after), Found { entries: 300, from_index: 300, ..Found::default() });
}

#[tokio::test]
async fn order_of_use_survives_setting_back_the_clock() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    rig.clock.set_back(Duration::from_secs(60));
    cache.get("test:a").await.unwrap().unwrap();
    fill(&cache, &["test:d"]).await;
    let before = order(&cache).await;
    assert_eq!(before, ["test:b", "test:c", "test:a", "test:d"]);
    cache.close().await.unwrap();
    assert_eq!(order(&rig.open().await).await, before);
}

#[tokio::test]
async fn order_from_before_a_restart_determines_evictions() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c"]).await;
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    cache.get("test:a").await.unwrap().unwrap();
    cache.close().await.unwrap();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    fill(&cache, &["test:d", "test:e"]).await;
    assert_eq!(order(&cache).await, ["test:a", "test:d", "test:e"]);
}

#[tokio::test]
async fn invalid_index_log_loses_the_order_of_use_but_no_entry() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
    for garbled in [&b""[..], b"\xff\xfe\0\0garbage\n\n", b"mc-log\0\x02", &[0; 4096]] {
        fs::write(rig.directory().join(INDEX_LOG), garbled).unwrap();
        let cache = rig.open().await;
        assert_eq!(found(&cache), Found { entries: 2, ..Found::default() });
        assert_eq!(order(&cache).await, ["test:a", "test:b"]);
        cache.close().await.unwrap();
    }
}

#[tokio::test]
async fn directory_in_place_of_the_index_log_loses_no_entry_and_is_reported() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
    fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    fs::create_dir(rig.directory().join(INDEX_LOG)).unwrap();
    let cache = rig.open().await;
    assert_eq!(found(&cache), Found { entries: 2, ..Found::default() });
    assert!(matches!(cache.checkpoint().await, Err(CacheError::Store(StoreError::Disk(_)))));
    assert!(matches!(cache.health().await.unwrap(), Health::Degraded(_)));
    assert!(cache.close().await.is_err());
}

#[tokio::test]
async fn index_log_truncated_anywhere_or_with_a_flipped_bit_loses_no_entry() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c"]).await;
    let log = rig.directory().join(INDEX_LOG);
    let whole = fs::read(&log).unwrap();
    for place in (0..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        for damaged in [&whole[..place], &flipped] {
            fs::write(&log, damaged).unwrap();
            let cache = rig.open().await;
            assert_eq!(found(&cache), Found { entries: 3, from_index: found(&cache).from_index, ..Found::default() }, "{place}");
            for url in ["test:a", "test:b", "test:c"] {
                let media = cache.get(url).await.unwrap().unwrap();
                assert_eq!((body(&media).await, media.mimetype()), (text(url), "text/plain"), "{place}");
            }
            cache.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn outdated_index_log_is_ignored_for_entries_stored_since() {
    // The new bytes have the same size.
    let rig = CacheRig::create();
    let cache = rig.open().await;
    cache.put("test:a", "bytes 1", "text/plain", "one.txt").await.unwrap();
    cache.close().await.unwrap();
    let older = fs::read(rig.directory().join(INDEX_LOG)).unwrap();
    let cache = rig.open().await;
    assert!(cache.remove("test:a").await.unwrap());
    cache.put("test:a", "bytes 2", "image/png", "two.png").await.unwrap();
    let killed = rig.root().join("killed");
    copy_files(&rig.directory(), &killed);
    fs::write(killed.join(INDEX_LOG), older).unwrap();
    let after = rig.open_with(|builder| builder.directory(&killed)).await;
    let media = after.get("test:a").await.unwrap().unwrap();
    assert_eq!((body(&media).await, media.mimetype(), media.filename()), (b"bytes 2".to_vec(), "image/png", "two.png"));
    assert_eq!(stats(&after).await.damaged, 0);
}

#[tokio::test]
async fn the_index_log_of_another_directory_deletes_and_evicts_nothing() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
    let other = CacheRig::create();
    for url in ["test:a", "test:b"] {
        other.origin.serves_bytes(url, vec![b'x'; 5_000_000]);
    }
    let cache = other.open().await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    cache.close().await.unwrap();
    fs::copy(other.directory().join(INDEX_LOG), rig.directory().join(INDEX_LOG)).unwrap();
    let cache = rig.open_with(|builder| entry_budget(builder, 2 * SMALL)).await;
    assert_eq!(found(&cache), Found { entries: 2, ..Found::default() });
    assert_eq!(stats(&cache).await.disk_bytes, 2 * SMALL);
    for url in ["test:a", "test:b"] {
        assert_eq!(body(&cache.get(url).await.unwrap().unwrap()).await, text(url));
    }
}

#[tokio::test]
async fn index_log_does_not_restore_entries_whose_files_were_deleted() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c", "test:d"]).await;
    let directory = rig.directory();
    fs::remove_file(media_file(&directory, "test:a")).unwrap();
    fs::remove_file(sidecar_file(&directory, "test:b")).unwrap();
    fs::remove_file(media_file(&directory, "test:c")).unwrap();
    fs::remove_file(sidecar_file(&directory, "test:c")).unwrap();
    let cache = rig.open().await;
    // Both files of the third entry are gone, so it does not count as damaged.
    assert_eq!(found(&cache), Found { entries: 1, from_index: 1, damaged: 2, ..Found::default() });
    assert_eq!(order(&cache).await, ["test:d"]);
    assert_eq!(disk_usage(&directory), (SMALL, 2));
    assert_eq!(stats(&cache).await.disk_bytes, SMALL);
    assert!(cache.get("test:a").await.unwrap().is_none());
}

#[tokio::test]
async fn crash_loses_no_stored_entry_and_keeps_the_order_of_the_checkpoint() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b", "test:c"]).await;
    cache.get("test:a").await.unwrap().unwrap();
    cache.checkpoint().await.unwrap();
    rig.clock.advance(Duration::from_secs(1));
    fill(&cache, &["test:d"]).await;
    cache.remove("test:c").await.unwrap();
    let copy = rig.root().join("copy");
    copy_files(&rig.directory(), &copy);

    let after = rig.open_with(|builder| builder.directory(&copy)).await;
    // On a slow machine, the log already contains the entry that was stored after the checkpoint.
    let found = found(&after);
    assert_eq!(found, Found { entries: 3, from_index: found.from_index.clamp(2, 3), ..Found::default() });
    assert_eq!(order(&after).await, ["test:b", "test:a", "test:d"]);
    assert_eq!(entries(&after).await[1].hits, 1);
    for url in ["test:a", "test:b", "test:d"] {
        assert_eq!(body(&after.get(url).await.unwrap().unwrap()).await, text(url));
    }
}

#[tokio::test]
async fn ten_restarts_change_nothing() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c"]).await;
    for _ in 0..10 {
        let cache = rig.open().await;
        assert_eq!(found(&cache), Found { entries: 3, from_index: 3, ..Found::default() });
        cache.close().await.unwrap();
    }
}

#[tokio::test]
async fn index_log_stays_small_under_many_hits() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a", "test:b"]).await;
    for round in 0..20_000 {
        cache.get(if round % 2 == 0 { "test:a" } else { "test:b" }).await.unwrap().unwrap();
        if round % 2 == 1 {
            cache.checkpoint().await.unwrap();
        }
    }
    let size = fs::metadata(rig.directory().join(INDEX_LOG)).unwrap().len();
    assert!(size < 300_000, "{size} bytes");
    cache.close().await.unwrap();
    let cache = rig.open().await;
    let hits: Vec<u64> = entries(&cache).await.iter().map(|entry| entry.hits).collect();
    assert_eq!(hits, [10_000, 10_000]);
}

#[tokio::test]
async fn entries_of_two_directories_copied_together_are_all_found() {
    let (rig, other) = (CacheRig::after_a_run(&["test:a"]).await, CacheRig::after_a_run(&["test:b"]).await);
    copy_files(&other.directory(), &rig.directory());
    let modified = fs::metadata(other.directory()).unwrap().modified().unwrap();
    fs::File::open(rig.directory()).unwrap().set_modified(modified).unwrap();
    let cache = rig.open().await;
    assert_eq!(found(&cache), Found { entries: 2, from_index: 1, ..Found::default() });
}
