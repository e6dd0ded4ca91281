//! Files that are replaced or overwritten while the cache is running. A pipe in place of a file would block the thread that opens it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use media_cache::Source;
use media_cache_test_support::cache_directory::{BOTH, files_exist, media_file, sidecar_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;

fn replace_by_pipe(path: &Path) {
    let _ = fs::remove_file(path);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
}

#[tokio::test]
async fn pipe_in_place_of_media_does_not_block_and_is_not_read() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["test:a"]).await;
    replace_by_pipe(&media_file(&rig.directory(), "test:a"));
    assert_eq!(body(&soon(cache.get_or_download("test:a")).await.unwrap()).await, text("test:a"));
    assert_eq!(rig.origin.requests("test:a"), 2);
    assert_eq!(files_exist(&rig.directory(), "test:a"), BOTH);
    assert_eq!(body(&cache.get("test:a").await.unwrap().unwrap()).await, text("test:a"), "it is a file again");
}

#[tokio::test]
async fn pipe_in_place_of_an_entry_file_does_not_block_the_start() {
    for replaced in [media_file, sidecar_file] {
        let rig = CacheRig::after_a_run(&["test:a", "test:b"]).await;
        replace_by_pipe(&replaced(&rig.directory(), "test:a"));
        let cache = soon(rig.open()).await;
        assert_eq!(body(&soon(cache.get_or_download("test:a")).await.unwrap()).await, text("test:a"));
        assert_eq!(cache.get("test:b").await.unwrap().unwrap().source, Source::Disk);
    }
}

#[tokio::test]
async fn store_does_not_write_through_a_planted_link() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let precious = rig.root().join("precious");
    fs::write(&precious, "somebody's").unwrap();
    for extension in ["dat", "json.tmp"] {
        fs::hard_link(&precious, media_file(&rig.directory(), "test:a").with_extension(extension)).unwrap();
    }
    cache.get_or_download("test:a").await.unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"somebody's");
}

/// Changes the file of an entry that is too large for memory, and asserts that the entry is fetched again.
async fn assert_healed(change: impl Fn(&Path)) {
    let rig = CacheRig::create();
    rig.origin.serves_bytes("test:large", noise(1, 100_000));
    let cache = rig.open_with(|builder| builder.max_memory_bytes(8192)).await;
    fill(&cache, &["test:large"]).await;
    cache.get("test:large").await.unwrap();
    let open = cache.get("test:large").await.unwrap().unwrap();
    assert_eq!((open.source, open.body.in_memory().is_some()), (Source::Disk, false));
    open.body.digest().await.unwrap();
    change(&media_file(&rig.directory(), "test:large"));
    let requests = (0..10).map(|_| cache.get_or_download("test:large"));
    for answer in futures::future::join_all(requests).await {
        let media = answer.unwrap();
        assert_eq!(body(&media).await, noise(1, 100_000));
        let expected = media_cache::Blob::from(noise(1, 100_000)).digest().await.unwrap();
        assert_eq!(media.body.digest().await.unwrap(), expected);
    }
    assert_eq!(rig.origin.requests("test:large"), 2);
    assert_eq!(cache.status().await.unwrap().cache.damaged, 1);
    assert_eq!(files_exist(&rig.directory(), "test:large"), BOTH);
}

#[tokio::test]
async fn entry_whose_open_file_is_overwritten_is_fetched_again() {
    assert_healed(|file| File::options().write(true).open(file).unwrap().write_all(b"other bytes").unwrap()).await;
}

#[tokio::test]
async fn entry_whose_open_file_is_truncated_is_fetched_again() {
    assert_healed(|file| File::options().write(true).open(file).unwrap().set_len(50_000).unwrap()).await;
}

#[tokio::test]
async fn entry_whose_open_file_is_merely_touched_is_kept() {
    let rig = CacheRig::create();
    rig.origin.serves_bytes("test:large", noise(1, 100_000));
    let cache = rig.open_with(|builder| builder.max_memory_bytes(8192)).await;
    fill(&cache, &["test:large"]).await;
    cache.get("test:large").await.unwrap().unwrap().body.digest().await.unwrap();
    let file = File::options().write(true).open(media_file(&rig.directory(), "test:large")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(body(&cache.get_or_download("test:large").await.unwrap()).await, noise(1, 100_000));
    assert_eq!(rig.origin.requests("test:large"), 1);
}
