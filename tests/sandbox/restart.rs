//! A restart finds the entries that the previous run stored.

use std::fs;

use media_cache::Source;
use media_cache_test_support::cache_directory::{
    BOTH, INDEX_LOG, NEITHER, copy_files, disk_usage, files_exist, media_file, sidecar_file, write_python_entry,
};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{Found, entries, found, order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;

#[tokio::test]
async fn a_cache_in_a_new_directory_is_empty() {
    assert_eq!(found(&CacheRig::create().open().await), Found::default());
}

#[tokio::test]
async fn restart_finds_every_entry_and_continues_the_counters() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c"]).await;
    let cache = rig.open().await;
    assert_eq!(found(&cache), Found { entries: 3, from_index: 3, ..Found::default() });
    let fresh = stats(&cache).await;
    assert_eq!((fresh.entries, fresh.disk_bytes, fresh.resident_entries), (3, 3 * SMALL, 0));
    assert_eq!((fresh.hits, fresh.misses, fresh.stored), (0, 3, 3), "counters continue");
    for url in ["test:a", "test:b", "test:c"] {
        let found = cache.get_or_download(url).await.unwrap();
        assert_eq!((body(&found).await, found.source), (text(url), Source::Disk));
        assert_eq!((found.mimetype(), found.filename(), rig.origin.requests(url)), ("text/plain", "page.txt", 1));
    }
    assert_eq!(stats(&cache).await.disk_hits, 3);
}

#[tokio::test]
async fn restart_without_an_index_log_orders_entries_by_stored_time() {
    let rig = CacheRig::after_a_run(&["test:b", "test:c", "test:a"]).await;
    let cache = rig.open().await;
    cache.get("test:b").await.unwrap().unwrap();
    cache.close().await.unwrap();
    fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    let cache = rig.open().await;
    assert_eq!(found(&cache), Found { entries: 3, ..Found::default() });
    assert_eq!(order(&cache).await, ["test:b", "test:c", "test:a"]);
    assert!(entries(&cache).await.iter().all(|entry| entry.hits == 0 && entry.accessed_at == entry.stored_at));
}

#[tokio::test]
async fn restart_inserts_entries_added_by_another_program_by_their_time() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
    let directory = rig.directory();
    // By time, one belongs between the two entries, and the other after both.
    write_python_entry(&directory, "test:older", b"older", "image/png", "older.png", "1700000000.5");
    write_python_entry(&directory, "test:newer", b"newer", "image/png", "newer.png", "1800000000.25");
    let cache = rig.open().await;
    assert_eq!(found(&cache), Found { entries: 4, from_index: 2, ..Found::default() });
    assert_eq!(order(&cache).await, ["test:a", "test:older", "test:b", "test:newer"]);
    assert_eq!(body(&cache.get("test:newer").await.unwrap().unwrap()).await, b"newer");
}

#[tokio::test]
async fn bytes_changed_between_two_runs_are_never_served() {
    for with_log in [true, false] {
        let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
        let directory = rig.directory();
        let mut changed = text("test:a");
        changed.reverse();
        fs::write(media_file(&directory, "test:a"), changed).unwrap();
        if !with_log {
            fs::remove_file(directory.join(INDEX_LOG)).unwrap();
        }
        let cache = rig.open().await;
        assert_eq!(cache.load_report().unwrap().entries, 2, "a start does not read media");
        assert!(cache.get("test:a").await.unwrap().is_none());
        assert_eq!((stats(&cache).await.damaged, files_exist(&directory, "test:a")), (1, NEITHER));
    }
}

#[tokio::test]
async fn entry_rewritten_by_another_program_is_served_as_rewritten_or_dropped() {
    let rig = CacheRig::after_a_run(&["test:a"]).await;
    write_python_entry(&rig.directory(), "test:a", b"new and of another size", "image/gif", "new.gif", "1800000000.0");
    let cache = rig.open().await;
    match cache.get("test:a").await.unwrap() {
        Some(found) => assert_eq!((body(&found).await, found.filename()), (b"new and of another size".to_vec(), "new.gif")),
        None => assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER),
    }
}

#[tokio::test]
async fn restart_with_a_smaller_budget_evicts_the_coldest_entries() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c", "test:d"]).await;
    let cache = rig.open().await;
    cache.get("test:a").await.unwrap().unwrap();
    cache.close().await.unwrap();
    let cache = rig.open_with(|builder| entry_budget(builder, 2 * SMALL + 4095)).await;
    let report = cache.load_report().unwrap();
    assert_eq!((report.entries, report.evicted, report.damaged), (2, 2, 0));
    assert_eq!(order(&cache).await, ["test:d", "test:a"]);
    assert_eq!(disk_usage(&rig.directory()), (2 * SMALL, 4));
    assert_eq!(stats(&cache).await.evictions, 2);
}

#[tokio::test]
async fn a_budget_smaller_than_an_entry_evicts_that_entry() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["test:a"]).await;
    rig.origin.serves_bytes("test:large", noise(1, 100_000));
    fill(&cache, &["test:large"]).await;
    cache.close().await.unwrap();
    let cache = rig.open_with(|builder| entry_budget(builder, 2 * SMALL)).await;
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().evicted), (1, 1));
    assert_eq!(order(&cache).await, ["test:a"], "the colder entry fits");
    assert_eq!(disk_usage(&rig.directory()), (SMALL, 2));
}

#[tokio::test]
async fn load_report_counts_leftovers_damaged_and_evicted_entries() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b", "test:c", "test:d", "test:e"]).await;
    let directory = rig.directory();
    fs::remove_file(media_file(&directory, "test:e")).unwrap();
    write_python_entry(&directory, "test:added", b"added", "image/png", "a.png", "1800000000");
    fs::write(media_file(&directory, "test:b").with_extension("dat.tmp"), "half of somethi").unwrap();
    fs::write(directory.join("media-cache.index"), "what earlier versions wrote").unwrap();
    let cache = rig.open_with(|builder| entry_budget(builder, 3 * SMALL)).await;
    let report = cache.load_report().unwrap();
    assert_eq!((report.leftovers, report.damaged, report.evicted), (2, 1, 2));
    assert_eq!((report.entries, order(&cache).await.len()), (3, 3));
    assert!(report.from_index <= report.entries, "{} of {} entries", report.from_index, report.entries);
    assert_eq!(order(&cache).await, ["test:c", "test:d", "test:added"]);
    assert_eq!(disk_usage(&directory), (3 * SMALL, 6));
}

#[tokio::test]
async fn restart_recovers_from_a_crash_at_any_step_of_a_write() {
    let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
    let whole = rig.root().join("whole");
    copy_files(&rig.directory(), &whole);
    let [media, json] = [media_file(&whole, "test:b"), sidecar_file(&whole, "test:b")];
    // The files of the second entry at each step: media and sidecar, each temporary or final.
    let steps: [(&[&str], u64, u64); 4] =
        [(&["dat.tmp"], 1, 0), (&["dat"], 0, 1), (&["dat", "json.tmp"], 1, 1), (&["dat", "json"], 0, 0)];
    for (there, leftovers, damaged) in steps {
        let directory = rig.root().join(there.join("+"));
        fs::create_dir(&directory).unwrap();
        for file in [media_file(&whole, "test:a"), sidecar_file(&whole, "test:a")] {
            fs::copy(&file, directory.join(file.file_name().unwrap())).unwrap();
        }
        for extension in there {
            let from = if extension.starts_with("dat") { &media } else { &json };
            fs::copy(from, media_file(&directory, "test:b").with_extension(extension)).unwrap();
        }
        let cache = rig.open_with(|builder| builder.directory(&directory)).await;
        let entries = if there.contains(&"json") { 2 } else { 1 };
        assert_eq!(found(&cache), Found { entries, leftovers, damaged, ..Found::default() }, "{there:?}");
        assert_eq!(disk_usage(&directory), (entries * SMALL, 2 * entries as usize));
        fill(&cache, &["test:b"]).await;
        assert_eq!(files_exist(&directory, "test:b"), BOTH);
    }
}
