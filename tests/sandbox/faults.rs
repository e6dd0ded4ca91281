//! A failing disk does not fail a request that the network can answer.

use std::fs::{self, File};
use std::process::Command;
use std::sync::Arc;

use media_cache::{Blob, CacheError, Source, StoreError};
use media_cache_test_support::cache_directory::{BOTH, NEITHER, disk_usage, files_exist, media_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;

#[tokio::test]
async fn cache_without_its_directory_serves_from_memory_and_from_the_origin() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(1)).await;
    fill(&cache, &["test:a", "test:b"]).await;
    fs::remove_dir_all(rig.directory()).unwrap();
    assert_eq!(cache.get("test:b").await.unwrap().unwrap().source, Source::Memory, "residents are still served");
    assert!(cache.get("test:a").await.unwrap().is_none());
    for url in ["test:a", "test:c", "test:c"] {
        let media = cache.get_or_download(url).await.unwrap();
        assert_eq!((body(&media).await, media.source), (text(url), Source::Origin));
    }
    assert_eq!((rig.origin.requests("test:a"), rig.origin.requests("test:c")), (2, 2), "nothing could be stored");
    let outcome = cache.put("test:d", "mine", "text/plain", "d.txt").await.unwrap();
    assert!(matches!(outcome.not_stored, Some(StoreError::Disk(_))), "{:?}", outcome.not_stored);
    assert_eq!(body(&outcome.media).await, b"mine");
    assert!(matches!(cache.checkpoint().await, Err(CacheError::Store(StoreError::Disk(_)))));
    let stats = stats(&cache).await;
    assert_eq!((stats.store_failures, stats.damaged, stats.stored), (4, 1, 2));
    assert_eq!(cache.status().await.unwrap().blob_handles, 2, "one for the bytes of the resident entry, one for its file");
    assert!(matches!(soon(cache.close()).await, Err(CacheError::Store(StoreError::Disk(_)))));
    assert!(!rig.directory().exists());
}

#[tokio::test]
async fn media_that_cannot_be_written_is_served_and_leaves_no_files_behind() {
    // A directory occupies one of the names that a write needs.
    for name in ["dat", "json.tmp", "json"] {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        fill(&cache, &["test:good"]).await;
        let in_the_way = media_file(&rig.directory(), "test:a").with_extension(name);
        fs::create_dir(&in_the_way).unwrap();
        for asked in 1..3 {
            let media = cache.get_or_download("test:a").await.unwrap();
            assert_eq!((body(&media).await, media.source), (text("test:a"), Source::Origin), "{name}");
            assert_eq!(rig.origin.requests("test:a"), asked);
        }
        let failed = stats(&cache).await;
        assert_eq!((failed.store_failures, failed.stored, failed.download_failures), (2, 1, 0), "{name}");
        assert_eq!((failed.entries, failed.disk_bytes, failed.evictions), (1, SMALL, 0), "{name}");
        assert_eq!(cache.status().await.unwrap().blob_handles, 2, "{name}");
        fs::remove_dir(&in_the_way).unwrap();
        assert_eq!(disk_usage(&rig.directory()), (SMALL, 2), "{name}");

        fill(&cache, &["test:a"]).await;
        assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
        assert_eq!(order(&cache).await, ["test:good", "test:a"]);
        assert_eq!(stats(&cache).await.store_failures, 2);
    }
}

#[tokio::test]
async fn media_that_cannot_be_stored_is_served_to_every_coalesced_request() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fs::create_dir(media_file(&rig.directory(), "test:a").with_extension("json.tmp")).unwrap();
    let answers = futures::future::join_all((0..20).map(|_| cache.get_or_download("test:a"))).await;
    for answer in answers {
        assert_eq!(body(&answer.unwrap()).await, text("test:a"));
    }
    assert_eq!(stats(&cache).await.entries, 0);
}

#[tokio::test]
async fn put_that_cannot_be_written_returns_the_disk_error() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fs::create_dir(media_file(&rig.directory(), "test:a").with_extension("json.tmp")).unwrap();
    let outcome = cache.put("test:a", "mine", "text/plain", "a.txt").await.unwrap();
    let Some(StoreError::Disk(why)) = outcome.not_stored else { panic!("{:?}", outcome.not_stored) };
    assert!(why.contains("cannot store the entry"), "{why}");
}

#[tokio::test]
async fn a_body_that_shrinks_while_being_written_is_not_stored() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let path = rig.root().join("upload");
    fs::write(&path, noise(1, 100_000)).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let blob = Blob::from_file(Arc::new(file)).unwrap();
    fs::write(&path, "short").unwrap();
    let outcome = cache.put("test:a", blob, "image/png", "a.png").await.unwrap();
    assert!(matches!(outcome.not_stored, Some(StoreError::Disk(_))), "{:?}", outcome.not_stored);
    assert_eq!(files_exist(&rig.directory(), "test:a"), NEITHER);
    assert_eq!((stats(&cache).await.entries, cache.status().await.unwrap().blob_handles), (0, 0));
}

/// Set in the process that [`a_process_out_of_file_descriptors_loses_no_entry`] starts.
const FEW_DESCRIPTORS: &str = "SANDBOX_FEW_DESCRIPTORS";

#[test]
fn a_process_out_of_file_descriptors_loses_no_entry() {
    if std::env::var_os(FEW_DESCRIPTORS).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(out_of_file_descriptors());
    }
    let script = r#"ulimit -n 100 && exec "$0" --exact faults::a_process_out_of_file_descriptors_loses_no_entry --nocapture"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(std::env::current_exe().unwrap()).env(FEW_DESCRIPTORS, "");
    let child = shell.output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

async fn out_of_file_descriptors() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["test:a"]).await;
    let mut hoard = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    drop(cache.get("test:a").await.unwrap());
    drop(hoard);
    assert_eq!(stats(&cache).await.damaged, 0, "the entry is not damaged");
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"));
}

#[tokio::test]
async fn failed_writes_release_their_reserved_space() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 4 * SMALL)).await;
    fill(&cache, &["test:a", "test:b"]).await;
    fs::create_dir(media_file(&rig.directory(), "test:x").with_extension("json.tmp")).unwrap();
    for _ in 0..10 {
        cache.get_or_download("test:x").await.unwrap();
    }
    fill(&cache, &["test:c", "test:d"]).await;
    let stats = stats(&cache).await;
    assert_eq!((stats.disk_bytes, stats.evictions, stats.store_failures), (4 * SMALL, 0, 10));
    assert_eq!((stats.policy_rejected_ids, stats.policy_shortfalls), (0, 0), "the policy learned that the entry is not stored");
}
