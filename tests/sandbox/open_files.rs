//! Entries on disk whose files are open: hits on them need no call to the component.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use media_cache::{MediaCache, Source};
use media_cache_test_support::cache_directory::{media_file, sidecar_file};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{order, stats};
use media_cache_test_support::file_faults::{EndFaults, Fault, FaultyDisk};
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;
use rustix::io::Errno;

/// A cache with the entry `test:b` in memory, and the file of `test:a` open.
async fn with_an_open_file(rig: &CacheRig) -> MediaCache {
    let cache = rig.open_with(|builder| builder.max_memory_items(1).max_silence(Duration::from_secs(60))).await;
    fill(&cache, &["test:a", "test:b"]).await;
    assert_eq!(stats(&cache).await.open_files, 2);
    cache
}

async fn get(cache: &MediaCache, url: &str) -> Option<(Source, Vec<u8>)> {
    let media = soon(cache.get(url)).await.unwrap()?;
    Some((media.source, body(&media).await))
}

#[tokio::test]
async fn open_file_is_served_without_the_component_and_its_hits_are_counted() {
    let rig = CacheRig::create();
    let cache = with_an_open_file(&rig).await;
    let before = stats(&cache).await;
    let stopped = rig.clock.stop();
    for _ in 0..3 {
        assert_eq!(get(&cache, "test:a").await, Some((Source::Disk, text("test:a"))));
    }
    drop(stopped);
    let after = stats(&cache).await;
    assert_eq!((after.hits - before.hits, after.disk_hits - before.disk_hits), (3, 3));
    assert_eq!(order(&cache).await, ["test:b", "test:a"], "it is the most recently used");
    assert_eq!(get(&cache, "test:b").await.unwrap().0, Source::Memory, "it remains in memory");
}

#[tokio::test]
async fn open_file_that_is_hit_often_becomes_resident() {
    let rig = CacheRig::create();
    let cache = with_an_open_file(&rig).await;
    let before = stats(&cache).await.hits;
    let mut hits = 1;
    let becomes_resident = async {
        while get(&cache, "test:a").await.unwrap().0 == Source::Disk {
            hits += 1;
            tokio::task::yield_now().await;
        }
    };
    soon(becomes_resident).await;
    assert!(hits > 64, "it became resident after only {hits} hits");
    let after = stats(&cache).await;
    assert_eq!((after.resident_entries, after.hits - before), (1, hits));
    assert_eq!(get(&cache, "test:b").await.unwrap().0, Source::Disk, "its file has been open since it was stored");
}

#[tokio::test]
async fn entry_is_an_open_file_as_soon_as_it_is_stored() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["test:a"]).await;
    assert_eq!(stats(&cache).await.open_files, 1);
    let _stopped = rig.clock.stop();
    assert_eq!(get(&cache, "test:a").await, Some((Source::Disk, text("test:a"))));
}

/// The media and the sidecar were verified when the file was opened. While neither changes, the component reads only the bytes that it
/// makes resident.
#[tokio::test]
async fn entry_with_an_open_file_is_not_verified_again() {
    let (rig, disk) = (CacheRig::create(), Arc::<FaultyDisk>::default());
    let _end = EndFaults(disk.clone());
    let set = |builder: media_cache::Builder| builder.every_hit_calls().max_memory_items(1).file_faults(disk.clone());
    let cache = rig.open_with(set).await;
    fill(&cache, &["test:a", "test:b"]).await;
    disk.fail(|name| matches!(name, "open *.dat" | "read *.json").then_some(Fault::Error(Errno::IO)));
    for (url, source) in [("test:a", Source::Disk), ("test:a", Source::Memory), ("test:b", Source::Disk)] {
        assert_eq!(get(&cache, url).await, Some((source, text(url))));
    }
}

#[tokio::test]
async fn open_file_is_not_served_with_the_metadata_of_a_replaced_sidecar() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(1)).await;
    cache.put("test:a", "bytes", "text/plain", "a.txt").await.unwrap();
    let sidecar = sidecar_file(&rig.directory(), "test:a");
    let text = fs::read_to_string(&sidecar).unwrap();
    fs::write(&sidecar, text.replace("text/plain", "text/other")).unwrap();
    // The clock of a file system may not have advanced since.
    let file = fs::File::options().write(true).open(&sidecar).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
    let resident = cache.get("test:a").await.unwrap().unwrap();
    assert_eq!((resident.source, resident.mimetype()), (Source::Memory, "text/plain"), "bytes in memory are not compared");
    fill(&cache, &["test:b"]).await;
    let read = cache.get("test:a").await.unwrap().unwrap();
    assert_eq!((read.source, read.mimetype()), (Source::Disk, "text/other"));
}

#[tokio::test]
async fn sidecar_that_another_program_changes_or_removes_is_noticed_within_seconds() {
    for is_removed in [true, false] {
        let rig = CacheRig::create();
        let cache = with_an_open_file(&rig).await;
        get(&cache, "test:a").await.unwrap();
        let sidecar = sidecar_file(&rig.directory(), "test:a");
        let text = fs::read_to_string(&sidecar).unwrap();
        if is_removed {
            fs::remove_file(&sidecar).unwrap();
        } else {
            fs::write(&sidecar, text.replace("text/plain", "text/other")).unwrap();
        }
        let began = Instant::now();
        // Only a few hits: after many, the component would check the entry because of their number.
        let noticed = async {
            loop {
                let media = cache.get("test:a").await.unwrap();
                match media.map(|media| media.mimetype().to_owned()) {
                    None => return is_removed,
                    Some(other) if other == "text/other" => return !is_removed,
                    Some(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        assert!(soon(noticed).await);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn open_file_that_another_program_changed_is_not_served() {
    for change in ["overwritten", "replaced", "removed", "linked"] {
        let rig = CacheRig::create();
        let cache = with_an_open_file(&rig).await;
        let (media, sidecar) = (media_file(&rig.directory(), "test:a"), sidecar_file(&rig.directory(), "test:a"));
        let bytes = text("test:a");
        let expected = match change {
            "overwritten" => {
                fs::write(&media, vec![b'x'; bytes.len()]).unwrap();
                None
            }
            "replaced" => {
                let other = vec![b'y'; bytes.len()];
                fs::write(media.with_extension("other"), &other).unwrap();
                fs::rename(media.with_extension("other"), &media).unwrap();
                let mut fields: serde_json::Value = serde_json::from_slice(&fs::read(&sidecar).unwrap()).unwrap();
                fields.as_object_mut().unwrap().remove("digest");
                fields.as_object_mut().unwrap().remove("sha256");
                fs::write(&sidecar, fields.to_string()).unwrap();
                Some((Source::Disk, other))
            }
            "removed" => {
                fs::remove_file(&media).unwrap();
                None
            }
            _ => {
                fs::hard_link(&media, rig.root().join("another-name")).unwrap();
                Some((Source::Disk, bytes))
            }
        };
        assert_eq!(get(&cache, "test:a").await, expected, "{change}");
    }
}

#[tokio::test]
async fn open_file_is_closed_when_its_entry_is_removed_or_replaced() {
    let rig = CacheRig::create();
    let cache = with_an_open_file(&rig).await;
    assert!(cache.remove("test:a").await.unwrap());
    assert_eq!(stats(&cache).await.open_files, 1);
    assert_eq!(get(&cache, "test:a").await, None);
    rig.origin.serves_bytes("test:b", b"new".to_vec());
    assert!(cache.refresh("test:b").await.unwrap().modified);
    assert_eq!(stats(&cache).await.open_files, 0, "its file was replaced");
    assert_eq!(get(&cache, "test:b").await, Some((Source::Memory, b"new".to_vec())));
}

#[tokio::test]
async fn least_recently_used_open_file_is_closed_first() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0).max_open_files(3)).await;
    let urls: Vec<String> = (0..5).map(|number| format!("test:{number}")).collect();
    fill(&cache, &urls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let opened = async |url: &str| get(&cache, url).await.unwrap();
    for url in &urls[..3] {
        opened(url).await;
    }
    // Uses the first file again, so that the second is the one that is closed for the fourth.
    opened(&urls[0]).await;
    assert_eq!(stats(&cache).await.open_files, 3);
    opened(&urls[3]).await;
    assert_eq!(stats(&cache).await.open_files, 3);
    let _stopped = rig.clock.stop();
    for url in [&urls[0], &urls[2], &urls[3]] {
        assert_eq!(opened(url).await, (Source::Disk, text(url)));
    }
    let closed = tokio::time::timeout(Duration::from_millis(300), cache.get(&urls[1])).await;
    assert!(closed.is_err(), "this needs a call to the component, which is blocked");
}
