//! Replaces the cache component with another build of itself while the cache is serving requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{join, join_all};
use media_cache::{
    Builder, CacheComponent, CacheError, ComponentError, ComponentOrigin, ComponentSwapError, Engine, EntryFilter, MediaCache,
    Source, Stats, embedded,
};
use media_cache_test_components as components;
use media_cache_test_support::cache_directory::{INDEX_LOG, disk_usage, sidecar, write_python_entry};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::{CacheRig, ENGINE, SMALL, bytes};
use media_cache_test_support::cache_state::{entries, order, recovered, stats, until};
use media_cache_test_support::file_faults::{EndFaults, Fault, FaultyDisk};
use media_cache_test_support::latch::Latch;
use media_cache_test_support::old_contract::of_version_0_1;
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::scripted_transcoder::video_of;
use media_cache_test_support::soon::{eventually, soon};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The built-in cache component with another version number, which makes it a different component.
fn of_version(version: &str) -> Vec<u8> {
    let section = [&[7], &b"version"[..], version.as_bytes()].concat();
    [embedded::CACHE, &[0, section.len() as u8], &section].concat()
}

fn compile(component: &[u8]) -> Result<CacheComponent, ComponentError> {
    ENGINE.compile_cache(ComponentOrigin::Upload, component)
}

pub(crate) static OTHER: LazyLock<CacheComponent> = LazyLock::new(|| compile(&of_version("9.9.9")).unwrap());
static TRAPS_WHEN_ACTIVATED: LazyLock<CacheComponent> = LazyLock::new(|| compile(&components::cache_with_fault(4)).unwrap());
static FAILS_TO_ACTIVATE: LazyLock<CacheComponent> = LazyLock::new(|| compile(&components::cache_with_fault(5)).unwrap());

/// All counters and entry counts of a cache.
fn counted(stats: &Stats) -> String {
    // A swap does not preserve residents, and the index log grows.
    format!("{:?}", Stats { resident_entries: 0, open_files: 0, memory_bytes: 0, other_disk_bytes: 0, ..*stats })
}

/// The URL, the hits and the last access of each listed entry.
async fn listing(cache: &MediaCache) -> Vec<(String, u64, u64)> {
    entries(cache).await.into_iter().map(|entry| (entry.url, entry.hits, entry.accessed_at)).collect()
}

#[tokio::test]
async fn swap_keeps_entries_order_hits_and_counters() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["x:a", "x:b", "x:c", "x:d"]).await;
    cache.remove("x:d").await.unwrap();
    fill(&cache, &["x:b", "x:b", "x:a"]).await;
    let before = (listing(&cache).await, counted(&stats(&cache).await));

    let status = cache.swap_component(OTHER.clone()).await.unwrap();
    assert_eq!((status.current.version.as_str(), status.current.origin, status.swaps), ("9.9.9", ComponentOrigin::Upload, 1));
    assert_eq!(status.previous.unwrap().origin, ComponentOrigin::BuiltIn);
    assert_eq!((listing(&cache).await, counted(&stats(&cache).await)), before);

    // The same holds after a restart, which must not count anything twice.
    assert_eq!(cache.get("x:b").await.unwrap().unwrap().source, Source::Disk);
    let before = (listing(&cache).await, counted(&stats(&cache).await));
    cache.close().await.unwrap();
    let cache = rig.open().await;
    assert_eq!((listing(&cache).await, counted(&stats(&cache).await)), before);
}

#[tokio::test]
async fn component_swap_loses_no_buffered_hits() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["x:a", "x:b"]).await;
    for swaps in 1..5 {
        fill(&cache, &["x:a", "x:b"]).await;
        // These hits are served without the component, before, during and after its replacement.
        let keep_asking = AtomicBool::new(true);
        let ask = async {
            let mut asked = 0;
            while keep_asking.load(Ordering::Relaxed) {
                assert!(cache.get("x:a").await.unwrap().is_some());
                asked += 1;
                tokio::task::yield_now().await;
            }
            asked
        };
        let hits = entries(&cache).await.into_iter().map(|entry| (entry.url, entry.hits)).collect::<BTreeMap<_, _>>()["x:a"];
        let total = stats(&cache).await.hits;
        let swap = async {
            let swapped = cache.swap_component(OTHER.clone()).await;
            keep_asking.store(false, Ordering::Relaxed);
            swapped
        };
        let (swapped, asked) = join(swap, ask).await;
        assert_eq!(swapped.unwrap().swaps, swaps);
        // A request for an entry that is not in memory delivers the buffered hits.
        cache.get("x:none").await.unwrap();
        let listed = entries(&cache).await.into_iter().map(|entry| (entry.url, entry.hits)).collect::<BTreeMap<_, _>>();
        assert_eq!((listed["x:a"], stats(&cache).await.hits), (hits + asked, total + asked), "{swaps}");
    }
}

#[tokio::test]
async fn hits_on_open_files_during_a_component_swap_count_as_disk_hits() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["x:a"]).await;
    let keep_asking = AtomicBool::new(true);
    let ask = async {
        let mut asked = 0;
        while keep_asking.load(Ordering::Relaxed) {
            assert_eq!(cache.get("x:a").await.unwrap().unwrap().source, Source::Disk);
            asked += 1;
            tokio::task::yield_now().await;
        }
        asked
    };
    let swap = async {
        let swapped = cache.swap_component(OTHER.clone()).await;
        keep_asking.store(false, Ordering::Relaxed);
        swapped
    };
    let (swapped, asked) = join(swap, ask).await;
    swapped.unwrap();
    // A request for an entry that is not stored delivers the buffered hits.
    cache.get("x:none").await.unwrap();
    let stats = stats(&cache).await;
    assert_eq!((stats.hits, stats.disk_hits), (asked, asked));
}

#[tokio::test]
async fn replaced_component_closes_its_files_before_its_last_download_ends() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_memory_items(0)).await;
    fill(&cache, &["x:a", "x:b"]).await;
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        files.filter(|path| path.starts_with(rig.directory()) && path.extension().is_some_and(|name| name == "dat")).count()
    };
    assert_eq!(open(), 2);
    let (latch, download) = swapped_during_a_download(&rig, &cache).await;
    eventually(|| open() == 0).await;
    latch.open();
    soon(download).await.unwrap().unwrap();
}

#[tokio::test]
async fn hits_served_during_a_slow_component_swap_are_not_lost() {
    let (rig, disk) = (CacheRig::create(), Arc::<FaultyDisk>::default());
    let _end = EndFaults(disk.clone());
    let cache = rig.open_with(|builder| builder.every_hit_calls().max_memory_items(0).file_faults(disk.clone())).await;
    fill(&cache, &["x:a", "x:b", "x:c"]).await;
    cache.checkpoint().await.unwrap();
    // There is no log when the new component starts, so it must read the whole log when it takes over.
    std::fs::remove_file(rig.directory().join(INDEX_LOG)).unwrap();
    let (reads, mut begins) = mpsc::unbounded_channel();
    disk.fail(move |name| {
        let is_read = name == "read index.log" && reads.send(()).is_ok();
        is_read.then_some(Fault::Hang)
    });
    let swap = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.swap_component(OTHER.clone()).await })
    };
    soon(begins.recv()).await.unwrap();
    let before = stats(&cache).await;
    for url in ["x:b", "x:a", "x:b"] {
        assert_eq!(soon(cache.get(url)).await.unwrap().unwrap().source, Source::Disk);
    }
    let meanwhile = stats(&cache).await;
    assert_eq!((meanwhile.hits, meanwhile.disk_hits), (before.hits + 3, before.disk_hits + 3));
    assert!(!swap.is_finished(), "the old component served these requests");
    disk.work();
    soon(swap).await.unwrap().unwrap();
    let after = stats(&cache).await;
    assert_eq!((after.hits, after.disk_hits), (meanwhile.hits, meanwhile.disk_hits), "no counter decreases");
    let listed: BTreeMap<_, _> = entries(&cache).await.into_iter().map(|entry| (entry.url, entry.hits)).collect();
    assert_eq!((listed["x:a"], listed["x:b"], listed["x:c"]), (1, 2, 0));
    assert_eq!(order(&cache).await[0], "x:c", "the other entries were used later");
}

#[tokio::test]
async fn download_in_progress_is_finished_by_the_old_component_and_stored_by_the_new_one() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let latch = rig.origin.hold("x:slow");
    let download = |cache: &MediaCache| {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get_or_download("x:slow").await })
    };
    let first = download(&cache);
    latch.reached().await;
    let second = download(&cache);
    cache.swap_component(OTHER.clone()).await.unwrap();
    let third = download(&cache);
    // The new component serves other requests in the meantime.
    fill(&cache, &["x:a"]).await;
    assert_eq!(cache.get("x:slow").await.unwrap().map(drop), None);
    cache.rollback_component().await.unwrap();
    latch.open();
    for download in [first, second, third] {
        let media = soon(download).await.unwrap().unwrap();
        assert_eq!(body(&media).await, text("x:slow"));
    }
    assert_eq!(rig.origin.requests("x:slow"), 1, "nothing is fetched twice");
    assert!(cache.get("x:slow").await.unwrap().unwrap().source != Source::Origin, "the media is stored");
    // The old instances deliver their counters when they end.
    let stats = until(&cache, |stats| stats.downloads == 2).await;
    assert_eq!((stats.hits + stats.misses, stats.stored, stats.not_ready), (6, 2, 0), "{stats:?}");
}

/// Replaces the component while `x:slow` is being downloaded. The download ends once the latch is open.
async fn swapped_during_a_download(rig: &CacheRig, cache: &MediaCache) -> (Latch, JoinHandle<Result<(), CacheError>>) {
    let latch = rig.origin.hold("x:slow");
    let download = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.get_or_download("x:slow").await.map(drop) })
    };
    latch.reached().await;
    cache.swap_component(OTHER.clone()).await.unwrap();
    (latch, download)
}

#[tokio::test]
async fn entry_fetched_during_a_component_swap_records_the_cost_of_its_fetch() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let (latch, download) = swapped_during_a_download(&rig, &cache).await;
    rig.clock.advance(Duration::from_secs(7));
    latch.open();
    soon(download).await.unwrap().unwrap();
    assert_eq!(sidecar(&rig.directory(), "x:slow")["cost"], 7000);
}

#[tokio::test]
async fn gif_put_during_a_component_swap_is_converted_and_counted_once() {
    for (gif, converted, failed) in [("GIF89a", 1, 0), ("GIF89a broken", 0, 1)] {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        let latch = rig.transcoder.hold();
        let put = {
            let cache = cache.clone();
            tokio::spawn(async move { cache.put("x:gif", gif, "image/gif", "a.gif").await })
        };
        latch.reached().await;
        cache.swap_component(OTHER.clone()).await.unwrap();
        latch.open();
        let outcome = soon(put).await.unwrap().unwrap();
        assert!(outcome.not_stored.is_none() && !outcome.known, "{outcome:?}");
        let expected = if converted == 1 { video_of(gif.as_bytes()) } else { gif.into() };
        assert_eq!(body(&outcome.media).await, expected);
        assert_eq!(body(&cache.get("x:gif").await.unwrap().unwrap()).await, expected);
        assert_eq!(rig.transcoder.requests(), 1, "{gif}");
        let stats = until(&cache, |stats| stats.transcoded + stats.transcode_failures > 0).await;
        assert_eq!((stats.transcoded, stats.transcode_failures, stats.stored), (converted, failed, 1), "{gif}");
    }
}

#[tokio::test]
async fn removal_of_many_entries_is_continued_by_the_new_component() {
    const ENTRIES: u64 = 6000;
    let other = OTHER.clone();
    let rig = CacheRig::create();
    for number in 0..ENTRIES {
        write_python_entry(&rig.directory(), &format!("x:{number}"), b"bytes", "image/png", "a.png", "1700000000.5");
    }
    let cache = rig.open().await;
    let removal = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.remove_matching(EntryFilter::All).await })
    };
    until(&cache, |stats| stats.entries < ENTRIES).await;
    cache.swap_component(other).await.unwrap();
    assert!(!removal.is_finished(), "the swap does not wait until all entries are removed");
    assert_eq!(soon(removal).await.unwrap().unwrap(), ENTRIES, "each entry counts once");
    assert_eq!((stats(&cache).await.entries, disk_usage(&rig.directory())), (0, (0, 0)));
}

#[tokio::test]
async fn removal_that_fails_for_an_entry_is_continued_by_the_new_component() {
    const ENTRIES: u64 = 6000;
    let other = OTHER.clone();
    let (rig, disk) = (CacheRig::create(), Arc::<FaultyDisk>::default());
    for number in 0..ENTRIES {
        write_python_entry(&rig.directory(), &format!("x:{number}"), b"bytes", "image/png", "a.png", "1700000000.5");
    }
    let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
    let mut failures = 0..1;
    disk.fail(move |name| (name == "delete *.json" && failures.next().is_some()).then_some(Fault::Error(rustix::io::Errno::BUSY)));
    let removal = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.remove_matching(EntryFilter::All).await })
    };
    until(&cache, |stats| stats.entries < ENTRIES).await;
    cache.swap_component(other).await.unwrap();
    assert_eq!(disk.failed(), 1);
    let removed = soon(removal).await.unwrap().unwrap();
    // The failed entry is tried again by the removal, or earlier by the old component when it saves its index.
    assert!([ENTRIES - 1, ENTRIES].contains(&removed), "{removed}");
    assert_eq!((stats(&cache).await.entries, disk_usage(&rig.directory())), (0, (0, 0)));
}

#[tokio::test]
async fn close_waits_for_downloads_of_replaced_components() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let (latch, download) = swapped_during_a_download(&rig, &cache).await;
    let close = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.close().await })
    };
    soon(async {
        while !cache.is_closed() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    latch.open();
    soon(close).await.unwrap().unwrap();
    download.await.unwrap().unwrap();
    let cache = rig.open().await;
    assert_eq!(order(&cache).await, ["x:slow"]);
    assert_eq!((stats(&cache).await.downloads, stats(&cache).await.misses), (1, 1));
}

/// Sends concurrent requests of all kinds until the swaps are over. Returns the number of requests that count as a hit or a miss.
async fn under_load(cache: &MediaCache, swaps: impl Future<Output = ()>) -> u64 {
    const CLIENTS: u64 = 6;
    let (over, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients = (0..CLIENTS).map(|client| {
        let (cache, over, requests) = (cache.clone(), over.clone(), requests.clone());
        tokio::spawn(async move {
            for round in 0.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let url = format!("x:{}", (round * (client + 3) + client) % 40);
                let media = cache.get_or_download(&url).await.unwrap();
                assert_eq!(body(&media).await, text(&url));
                requests.fetch_add(1, Ordering::Relaxed);
                let put = format!("x:put-{client}-{}", round % 8);
                let outcome = cache.put(&put, put.clone(), "text/plain", "a.txt").await.unwrap();
                assert!(outcome.not_stored.is_none(), "{outcome:?}");
                if round % 5 == 0 {
                    assert!(cache.remove(&put).await.unwrap(), "{put} was stored");
                }
                if round % 9 == 0 {
                    cache.refresh(&url).await.unwrap();
                }
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    swaps.await;
    over.store(true, Ordering::Relaxed);
    for client in join_all(clients).await {
        client.unwrap();
    }
    requests.load(Ordering::Relaxed)
}

fn small(builder: Builder) -> Builder {
    builder.max_disk_bytes(bytes(64 * SMALL)).max_memory_items(8)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_component_is_replaced_under_load() {
    let rig = CacheRig::create();
    let cache = rig.open_with(small).await;
    let requests = under_load(&cache, async {
        for number in 1..=6 {
            let swapped =
                if number % 2 == 1 { cache.swap_component(OTHER.clone()).await } else { cache.rollback_component().await };
            assert_eq!(swapped.unwrap().swaps, number);
        }
    })
    .await;
    // The old instances end on their own.
    let stats = until(&cache, |stats| stats.hits + stats.misses >= requests).await;
    assert_eq!(stats.hits + stats.misses, requests, "each request counts once");
    assert_eq!((stats.damaged, stats.store_failures, stats.download_failures, stats.not_ready), (0, 0, 0, 0));
    let listed = order(&cache).await;
    assert_eq!((listed.len() as u64, stats.disk_bytes), (stats.entries, stats.entries * SMALL));
    cache.close().await.unwrap();
    let reopened = rig.open_with(small).await;
    assert_eq!(order(&reopened).await, listed);
}

#[tokio::test]
async fn old_component_keeps_serving_if_the_new_one_cannot_be_activated() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["x:a", "x:b", "x:a"]).await;
    // Without the size of the index log, which is written from time to time.
    let counted = async || format!("{:?}", Stats { other_disk_bytes: 0, ..stats(&cache).await });
    for (component, why) in [(&*FAILS_TO_ACTIVATE, "a fault that a test switched on"), (&*TRAPS_WHEN_ACTIVATED, "unreachable")] {
        let before = (listing(&cache).await, counted().await);
        let error = cache.swap_component(component.clone()).await.unwrap_err();
        assert!(matches!(&error, ComponentSwapError::Activate(text) if text.contains(why)), "{error}");
        assert_eq!((listing(&cache).await, counted().await), before, "not even the residents have changed");
        let status = cache.component();
        assert_eq!((status.current.origin, status.swaps, status.swap), (ComponentOrigin::BuiltIn, 0, None));
        assert!(matches!(cache.rollback_component().await, Err(ComponentSwapError::NothingBefore)));
    }
    assert_eq!(cache.component().failed_swaps, 2);
    fill(&cache, &["x:c", "x:b"]).await;
    assert_eq!(order(&cache).await, ["x:a", "x:c", "x:b"]);
    cache.swap_component(OTHER.clone()).await.unwrap();
    assert_eq!(order(&cache).await, ["x:a", "x:c", "x:b"]);
    cache.close().await.unwrap();
    assert_eq!(order(&rig.open().await).await, ["x:a", "x:c", "x:b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_components_fail_to_take_over_under_load() {
    let rig = CacheRig::create();
    let cache = rig.open_with(small).await;
    let requests = under_load(&cache, async {
        for component in [&*FAILS_TO_ACTIVATE, &*TRAPS_WHEN_ACTIVATED, &*FAILS_TO_ACTIVATE] {
            cache.swap_component(component.clone()).await.unwrap_err();
        }
    })
    .await;
    let stats = stats(&cache).await;
    assert_eq!((stats.hits + stats.misses, stats.store_failures, stats.not_ready), (requests, 0, 0), "{stats:?}");
}

#[tokio::test]
async fn component_swap_without_an_index_log_keeps_order_hits_and_counters() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["x:a", "x:b", "x:c", "x:a"]).await;
    cache.checkpoint().await.unwrap();
    let before = (listing(&cache).await, counted(&stats(&cache).await));
    // The new component therefore starts without a log, and the old one writes a new log when it goes on standby.
    std::fs::remove_file(rig.directory().join(".media-cache/index.log")).unwrap();
    cache.swap_component(OTHER.clone()).await.unwrap();
    assert_eq!((listing(&cache).await, counted(&stats(&cache).await)), before);
    // A rollback without a log loses nothing either.
    std::fs::remove_file(rig.directory().join(".media-cache/index.log")).unwrap();
    cache.rollback_component().await.unwrap();
    assert_eq!((listing(&cache).await, counted(&stats(&cache).await)), before);
}

#[tokio::test]
async fn compile_error_names_the_kind_of_a_file_that_is_not_a_cache_component() {
    let error = |component: &[u8]| compile(component).map(drop).unwrap_err();
    assert!(matches!(error(b"#!/bin/sh"), ComponentError::NotWasm(_)));
    assert!(matches!(error(b"\0asm\x01\0\0\0"), ComponentError::CoreModule(_)));
    let policy = error(embedded::policy("lru").unwrap());
    assert!(policy.to_string().contains("is not a component of the world `media-cache`"), "{policy}");
    let old = error(&of_version_0_1(embedded::CACHE));
    assert!(matches!(&old, ComponentError::OtherVersion { .. }), "{old}");
    let cut = error(&embedded::CACHE[..embedded::CACHE.len() / 2]);
    assert!(matches!(&cut, ComponentError::Unfit { .. }), "{cut}");
}

#[tokio::test]
async fn component_compiled_by_another_engine_is_refused() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let foreign = Engine::new().unwrap().built_in_cache().unwrap();
    let error = cache.swap_component(foreign).await.unwrap_err();
    assert!(error.to_string().contains("it was compiled by another engine"), "{error}");
    cache.swap_component(OTHER.clone()).await.unwrap();
}

#[tokio::test]
async fn only_one_component_swap_runs_at_a_time() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let lru = ENGINE.built_in_policy("lru").unwrap();
    let (first, second) = join(cache.swap_component(OTHER.clone()), cache.swap_component(OTHER.clone())).await;
    assert!(first.is_ok() != second.is_ok(), "{first:?}, {second:?}");
    assert!(matches!(first.and(second), Err(ComponentSwapError::Busy)));
    let (component, policy) = join(cache.swap_component(OTHER.clone()), cache.swap_policy(lru.clone())).await;
    assert!(component.is_ok() || policy.is_ok());
    cache.swap_policy(lru).await.unwrap();
    fill(&cache, &["x:a"]).await;
    cache.close().await.unwrap();
    assert!(matches!(cache.swap_component(OTHER.clone()).await, Err(ComponentSwapError::Closed)));
    assert!(matches!(cache.get("x:a").await, Err(CacheError::Closed)));
}

/// The new component fails to take over, and the disk fails when the old one should continue, so the old component must be restarted.
#[tokio::test(flavor = "multi_thread")]
async fn failed_component_swap_on_a_failing_disk_loses_no_counter() {
    let (rig, disk) = (CacheRig::create(), Arc::new(FaultyDisk::default()));
    let _end = EndFaults(disk.clone());
    let cache = rig.open_with(|builder| builder.file_faults(disk.clone())).await;
    fill(&cache, &["x:a", "x:b", "x:a"]).await;
    let before = stats(&cache).await;
    for turn in 0..12 {
        let mut turns = 0;
        disk.fail(move |operation| {
            let concerns = operation == "inspect directory" || operation.contains("index.log");
            turns += u32::from(concerns);
            (concerns && turns > turn).then_some(Fault::Error(rustix::io::Errno::IO))
        });
        cache.swap_component(FAILS_TO_ACTIVATE.clone()).await.unwrap_err();
        // The restarted component loads the directory without the index log.
        until(&cache, |stats| stats.entries == before.entries).await;
        disk.work();
        recovered(&cache, &rig.clock).await;
        soon(cache.loaded()).await.unwrap();
        let after = stats(&cache).await;
        assert_eq!((after.hits, after.misses, after.downloads), (before.hits, before.misses, before.downloads), "turn {turn}");
    }
}
