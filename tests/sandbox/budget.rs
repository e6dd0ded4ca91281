//! The disk budget covers everything that a cache stores, not only its entries.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use media_cache::{Builder, FetchedMedia, FreeSpaceFloor, MediaCache, Spool, SpooledBody, StoreError};
use media_cache_test_skip as skip;
use media_cache_test_support::cache_directory::{BOTH, INDEX_LOG, NEITHER, files_exist, media_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, bytes};
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::random::noise;
use media_cache_test_support::soon::{eventually, soon};
use tempfile::TempDir;

use crate::small_disk::SmallDisk;

const BLOCK: u64 = 4096;

/// The disk usage of an index log with few entries, in bytes.
const LOG: u64 = BLOCK;

/// The free space to keep on a file system of 256 KiB, in bytes.
const FLOOR: u64 = 192 << 10;

/// A budget of this many blocks, some of which are reserved.
fn budget(builder: Builder, blocks: u64, reserved: u64) -> Builder {
    builder.max_disk_bytes(bytes(blocks * BLOCK)).reserved_disk_bytes(reserved * BLOCK)
}

/// A body of this many blocks that has arrived in a file.
async fn arrived(cache: &MediaCache, blocks: u64) -> FetchedMedia {
    let mut spooled = SpooledBody::new(0, cache.spool().clone(), Some(blocks * BLOCK));
    spooled.append(noise(1, (blocks * BLOCK) as usize).into()).await.unwrap();
    FetchedMedia::new(spooled.finish().await.unwrap(), "video/mp4", "a.mp4")
}

/// The disk usage of everything but entries and the index log, in blocks.
async fn other_blocks(cache: &MediaCache) -> u64 {
    // Otherwise the existence of a log depends on timing.
    cache.checkpoint().await.unwrap();
    (stats(cache).await.other_disk_bytes - LOG) / BLOCK
}

/// Saves twice: the second save counts what the first one added to the index log.
async fn save_twice(cache: &MediaCache) {
    for _ in 0..2 {
        cache.checkpoint().await.unwrap();
    }
}

async fn urls_of(cache: &MediaCache, count: usize) -> Vec<String> {
    let urls: Vec<String> = (0..count).map(|number| format!("test:{number}")).collect();
    fill(cache, &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    urls
}

#[tokio::test]
async fn entry_budget_is_the_total_less_the_reserve_which_covers_the_index_log() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| budget(builder, 12, 4)).await;
    urls_of(&cache, 6).await;
    cache.checkpoint().await.unwrap();
    let stats = stats(&cache).await;
    assert_eq!((stats.entries, stats.max_entry_bytes, stats.other_disk_bytes), (4, 8 * BLOCK, LOG));
    assert_eq!(fs::metadata(rig.directory().join(INDEX_LOG)).unwrap().len().next_multiple_of(BLOCK), LOG);
}

#[tokio::test]
async fn other_files_beyond_the_reserve_reduce_the_entry_budget() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| budget(builder, 10, 0)).await;
    urls_of(&cache, 5).await;
    save_twice(&cache).await;
    assert_eq!(stats(&cache).await.entries, 4, "the index log takes a block that an entry needs");
}

#[tokio::test]
async fn removed_file_counts_against_the_budget_until_its_last_reader_closes_it() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| budget(builder, 20, 2).max_memory_bytes(BLOCK)).await;
    rig.origin.serves_bytes("test:large", noise(1, 10 * BLOCK as usize));
    fill(&cache, &["test:large"]).await;
    let open = cache.get("test:large").await.unwrap().unwrap();
    assert!(open.body.in_memory().is_none());
    assert!(cache.remove("test:large").await.unwrap());
    assert_eq!(files_exist(&rig.directory(), "test:large"), NEITHER);
    assert_eq!(other_blocks(&cache).await, 10);
    urls_of(&cache, 9).await;
    save_twice(&cache).await;
    assert_eq!((stats(&cache).await.entries, other_blocks(&cache).await), (4, 10), "9 blocks are left for entries");
    assert_eq!(body(&open).await, noise(1, 10 * BLOCK as usize));
    drop(open);
    urls_of(&cache, 9).await;
    assert_eq!((stats(&cache).await.entries, other_blocks(&cache).await), (9, 0));
}

#[tokio::test]
async fn store_fails_for_lack_of_space_while_removed_open_files_fill_the_budget() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| budget(builder, 20, 2).max_memory_bytes(BLOCK)).await;
    rig.origin.serves_bytes("test:large", noise(1, 17 * BLOCK as usize));
    fill(&cache, &["test:large"]).await;
    let open = cache.get("test:large").await.unwrap().unwrap();
    assert!(cache.remove("test:large").await.unwrap());
    rig.origin.serves_bytes("test:medium", noise(1, 4 * BLOCK as usize));
    let outcome = cache.put("test:medium", noise(2, 4 * BLOCK as usize), "image/png", "a.png").await.unwrap();
    assert!(matches!(outcome.not_stored, Some(StoreError::NoSpace(left)) if left < 5 * BLOCK), "{:?}", outcome.not_stored);
    assert_eq!(body(&cache.get_or_download("test:medium").await.unwrap()).await, noise(1, 4 * BLOCK as usize));
    drop((open, outcome));
    fill(&cache, &["test:medium"]).await;
    assert_eq!(order(&cache).await, ["test:medium"]);
}

#[tokio::test]
async fn spooled_body_counts_while_it_arrives_and_is_stored_without_a_copy() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| budget(builder, 64, 32)).await;
    let media = arrived(&cache, 10).await;
    assert_eq!(other_blocks(&cache).await, 10);
    let outcome = cache.put_media("test:video", media.clone()).await.unwrap();
    assert!(outcome.not_stored.is_none(), "{:?}", outcome.not_stored);
    assert_eq!(fs::read(media_file(&rig.directory(), "test:video")).unwrap(), noise(1, 10 * BLOCK as usize));
    assert_eq!((other_blocks(&cache).await, stats(&cache).await.disk_bytes), (0, 11 * BLOCK));
    // Both are the same file, so a write to the entry is visible in the spooled body.
    fs::write(media_file(&rig.directory(), "test:video"), [b'x'; 10 * BLOCK as usize]).unwrap();
    assert_eq!(media.body.bytes().await.unwrap(), [b'x'; 10 * BLOCK as usize][..]);
}

#[tokio::test]
async fn body_beyond_the_spool_allowance_is_still_stored() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| budget(builder, 64, 32)).await;
    let media = arrived(&cache, 25).await;
    assert_eq!(other_blocks(&cache).await, 0, "arriving bodies may use three quarters of the reserve");
    assert!(cache.put_media("test:video", media).await.unwrap().not_stored.is_none());
    assert_eq!(files_exist(&rig.directory(), "test:video"), BOTH);
    assert_eq!(stats(&cache).await.disk_bytes, 26 * BLOCK);
}

#[tokio::test]
async fn files_of_the_host_count_as_other_disk_bytes() {
    let rig = CacheRig::create();
    fs::create_dir_all(rig.directory().join(".media-cache/policies")).unwrap();
    fs::write(rig.directory().join(".media-cache/policies/uploaded.wasm"), noise(1, 9000)).unwrap();
    let cache = rig.open().await;
    assert_eq!(other_blocks(&cache).await, 3);
}

#[tokio::test]
async fn remainder_of_an_interrupted_compaction_is_removed() {
    let rig = CacheRig::after_a_run(&["test:a"]).await;
    let remainder = rig.directory().join(INDEX_LOG).with_extension("log.new");
    fs::write(&remainder, noise(1, 100_000)).unwrap();
    let cache = rig.open().await;
    assert!(!remainder.exists());
    assert_eq!(other_blocks(&cache).await, 0);
}

#[tokio::test]
async fn eviction_keeps_free_space_above_the_floor() {
    let rig = CacheRig::create();
    let Some(_disk) = SmallDisk::mount(&rig.directory()) else { return };
    let cache = rig.open_with(|builder| builder.min_free(FreeSpaceFloor::Bytes(FLOOR))).await;
    let urls = urls_of(&cache, 10).await;
    let free = || FreeSpaceFloor::default().space_above(&rig.directory()).unwrap();
    let stored = stats(&cache).await;
    assert!((7..=8).contains(&stored.entries) && stored.store_failures == 0 && free() >= FLOOR, "{stored:?}");
    assert_eq!(order(&cache).await, urls[10 - stored.entries as usize..], "the least recently used were evicted");
    fs::write(rig.directory().join("foreign"), noise(1, 2 * SMALL as usize)).unwrap();
    cache.checkpoint().await.unwrap();
    let evicted = stats(&cache).await;
    assert!((5..=6).contains(&evicted.entries), "the index log may take up a block: {evicted:?}");
    // The file system may report freed space late, so the cache waits before it evicts more.
    rig.clock.advance(Duration::from_secs(9));
    save_twice(&cache).await;
    assert_eq!(stats(&cache).await.entries, evicted.entries);
    rig.clock.advance(Duration::from_secs(1));
    save_twice(&cache).await;
    assert_eq!((stats(&cache).await.entries, free()), (5, FLOOR + BLOCK), "the index log takes up a block");
    // No eviction would free enough.
    fs::write(rig.directory().join("foreign"), noise(1, 128 << 10)).unwrap();
    rig.clock.advance(Duration::from_secs(10));
    save_twice(&cache).await;
    assert_eq!(stats(&cache).await.entries, 5);
    soon(cache.close()).await.unwrap();
}

/// A directory that is not on the rig's file system. `None` if the test must be skipped.
fn elsewhere(rig: &CacheRig) -> Option<TempDir> {
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    let shared_memory = Path::new("/dev/shm");
    let is_another = device(shared_memory).is_some_and(|other| device(rig.root()) != Some(other));
    (!skip::unless(is_another, "a file system in /dev/shm")).then(|| tempfile::tempdir_in(shared_memory).unwrap())
}

#[tokio::test]
async fn body_spooled_on_another_file_system_frees_its_space_there_once_stored() {
    for items in [0, 64] {
        let rig = CacheRig::create();
        let Some(directory) = elsewhere(&rig) else { return };
        let spool = Spool::new(directory.path().join("spool"), FreeSpaceFloor::default());
        let cache = rig.open_with(|builder| builder.spool(spool.clone()).max_memory_items(items)).await;
        let expected = noise(1, (3 * BLOCK) as usize);
        let outcome = cache.put_media("test:put", arrived(&cache, 3).await).await.unwrap();
        assert!(outcome.not_stored.is_none(), "{items}: {:?}", outcome.not_stored);
        // The spooled file counts as arriving until nothing can read it any more.
        eventually(|| spool.arriving_bytes() == 0).await;
        assert_eq!(body(&outcome.media).await, expected, "{items}");
        for refresh in [false, true] {
            let fetched = Mutex::new(Some(arrived(&cache, 3 + u64::from(refresh)).await));
            rig.origin.answers("test:a", move || Ok(fetched.lock().unwrap().take().unwrap()));
            let media =
                if refresh { cache.refresh("test:a").await.unwrap().media } else { cache.get_or_download("test:a").await.unwrap() };
            eventually(|| spool.arriving_bytes() == 0).await;
            assert_eq!(body(&media).await.len() as u64, (3 + u64::from(refresh)) * BLOCK, "{items}");
        }
    }
}
