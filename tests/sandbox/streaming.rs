//! Media that is returned while its body is arriving.

use std::pin::pin;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use media_cache::{
    ArrivingBody, CacheControl, Cacheability, EntryFilter, FetchError, Media, MediaCache, Source, Spool, SpooledBody,
};
use media_cache_test_support::cache_directory::{BOTH, NEITHER, files_exist};
use media_cache_test_support::cache_requests::{body, failure};
use media_cache_test_support::cache_rig::{CacheRig, SMALL, entry_budget};
use media_cache_test_support::cache_state::{entries, stats, until};
use media_cache_test_support::images::gif;
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::fetched;
use media_cache_test_support::soon::soon;

const URL: &str = "test:a";

/// The beginning of a body, in memory.
async fn beginning(bytes: &[u8]) -> SpooledBody {
    let mut body = SpooledBody::new(1 << 20, Spool::temporary(), None);
    body.append(bytes.to_vec().into()).await.unwrap();
    body
}

/// Makes the origin serve the beginning of a text.
async fn serve_early(rig: &CacheRig) -> ArrivingBody {
    rig.origin.serves_arriving(URL, "text/plain", beginning(b"early ").await)
}

/// Appends the rest of a body and completes it.
async fn complete(mut writer: ArrivingBody, rest: &[u8]) {
    writer.append(rest.to_vec().into()).await.unwrap();
    writer.finish(|error| FetchError::Other(error.to_string())).await;
}

/// Requests the media, and asserts that its body is still arriving.
async fn arriving(cache: &MediaCache) -> Media {
    let media = soon(cache.get_or_download(URL)).await.unwrap();
    assert!(media.body.is_arriving() && media.source == Source::Origin);
    media
}

async fn first_chunk(media: &Media) -> Vec<u8> {
    soon(Box::pin(media.body.stream(0..u64::MAX)).next()).await.unwrap().unwrap().to_vec()
}

#[tokio::test]
async fn media_is_read_while_it_arrives_and_stored_when_it_is_complete() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let media = arriving(&cache).await;
    assert_eq!((first_chunk(&media).await, media.mimetype()), (b"early ".to_vec(), "text/plain"));
    let before = stats(&cache).await;
    assert_eq!((before.misses, before.downloads, before.stored, before.entries), (1, 0, 0, 0));
    assert_eq!(files_exist(&rig.directory(), URL), NEITHER);
    assert!(cache.get(URL).await.unwrap().is_none());
    rig.clock.advance(Duration::from_secs(2));
    complete(writer, b"and late").await;
    assert_eq!(body(&media).await, b"early and late");
    soon(media.finished()).await.unwrap();
    let after = until(&cache, |stats| stats.stored == 1).await;
    assert_eq!((after.downloads, after.download_failures, after.coalesced), (1, 0, 0));
    assert_eq!(files_exist(&rig.directory(), URL), BOTH);
    let stored = cache.get(URL).await.unwrap().unwrap();
    assert_eq!((body(&stored).await, stored.source), (b"early and late".to_vec(), Source::Memory));
    assert_eq!(stored.body.digest().await.unwrap(), media.body.digest().await.unwrap());
    assert_eq!(stored.stored_at(), media.stored_at(), "it is as announced");
    let listed = entries(&cache).await;
    assert_eq!(listed[0].accessed_at, listed[0].stored_at + 2000, "it is most recently used when it is stored");
    assert_eq!(rig.origin.requests(URL), 1);
    drop((media, stored));
    let status = cache.status().await.unwrap();
    assert_eq!(status.blob_handles as u64, status.cache.resident_entries + u64::from(status.cache.open_files));
}

#[tokio::test]
async fn requests_made_before_and_after_the_body_begins_share_it() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let latch = rig.origin.hold(URL);
    let early = (0..3).map(|_| {
        let cache = cache.clone();
        tokio::spawn(async move { arriving(&cache).await })
    });
    let early: Vec<_> = early.collect();
    until(&cache, |stats| stats.coalesced == 2).await;
    latch.open();
    let mut all = Vec::new();
    for request in early {
        all.push(soon(request).await.unwrap());
    }
    all.push(arriving(&cache).await);
    assert_eq!(stats(&cache).await.coalesced, 3);
    complete(writer, b"and late").await;
    for media in &all {
        assert_eq!(body(media).await, b"early and late");
    }
    let after = until(&cache, |stats| stats.stored == 1).await;
    assert_eq!((after.misses, after.hits, after.downloads), (4, 0, 1));
    assert_eq!(rig.origin.requests(URL), 1);
}

#[tokio::test]
async fn body_that_fails_is_not_stored_and_its_failure_is_remembered() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let media = arriving(&cache).await;
    let broke_off = FetchError::ShortBody("the connection was closed".into());
    writer.fail(broke_off.clone());
    assert_eq!(soon(media.finished()).await, Err(broke_off.clone()));
    assert!(media.body.bytes().await.is_err());
    let after = until(&cache, |stats| stats.download_failures == 1).await;
    assert_eq!((after.downloads, after.stored, after.entries), (0, 0, 0));
    assert_eq!(files_exist(&rig.directory(), URL), NEITHER);
    assert_eq!(failure(&cache, URL).await, broke_off);
    assert_eq!((stats(&cache).await.remembered_failures, rig.origin.requests(URL)), (1, 1));
    rig.clock.advance(Duration::from_secs(11));
    assert_eq!(failure(&cache, URL).await, FetchError::Gone, "the origin is contacted again");
}

#[tokio::test]
async fn body_that_ends_without_bytes_fails_as_empty() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = rig.origin.serves_arriving(URL, "text/plain", beginning(b"").await);
    let mut request = pin!(cache.get_or_download(URL));
    assert!(request.as_mut().now_or_never().is_none());
    writer.finish(|error| FetchError::Other(error.to_string())).await;
    let error = soon(request).await.unwrap_err();
    assert_eq!(error.to_string(), FetchError::EmptyBody.to_string());
}

#[tokio::test]
async fn download_is_stored_after_its_callers_have_dropped_the_media() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    drop(arriving(&cache).await);
    complete(writer, b"and late").await;
    until(&cache, |stats| stats.stored == 1).await;
    assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, b"early and late");
}

#[tokio::test]
async fn stalled_reader_delays_neither_other_readers_nor_the_store() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let spooled = SpooledBody::new(0, Spool::temporary(), None);
    let mut writer = rig.origin.serves_arriving(URL, "text/plain", spooled);
    let bytes = noise(1, 3 << 20);
    writer.append(bytes[..100].to_vec().into()).await.unwrap();
    let (slow, quick) = (arriving(&cache).await, arriving(&cache).await);
    let mut slow = Box::pin(slow.body.stream(0..u64::MAX));
    assert_eq!(soon(slow.next()).await.unwrap().unwrap(), bytes[..100]);
    complete(writer, &bytes[100..]).await;
    assert_eq!(body(&quick).await, bytes);
    until(&cache, |stats| stats.stored == 1).await;
    let mut rest = Vec::new();
    while let Some(chunk) = slow.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.len() <= 64 << 10);
        rest.extend_from_slice(&chunk);
    }
    assert_eq!(rest, bytes[100..]);
}

#[tokio::test]
async fn media_that_may_be_converted_is_returned_only_when_complete() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let animation = gif(&[10, 20]);
    for (length, mimetype) in [(animation.len() / 2, "image/gif"), (animation.len() / 2, "image/png"), (5, "image/png")] {
        let writer = rig.origin.serves_arriving(URL, mimetype, beginning(&animation[..length]).await);
        let latch = rig.origin.hold(URL);
        latch.open();
        let mut request = pin!(cache.get_or_download(URL));
        assert!(request.as_mut().now_or_never().is_none());
        latch.reached().await;
        // Once a later call has been answered, the request has had its turn.
        stats(&cache).await;
        assert!(request.as_mut().now_or_never().is_none(), "{mimetype}");
        complete(writer, &animation[length..]).await;
        let media = soon(request).await.unwrap();
        assert_eq!((media.mimetype(), media.body.is_arriving()), ("video/mp4", false));
        assert!(cache.remove(URL).await.unwrap());
    }
}

#[tokio::test]
async fn put_waits_for_a_body_that_is_arriving() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let media = arriving(&cache).await;
    let putting = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.put(URL, "mine", "text/plain", "a.txt").await })
    };
    stats(&cache).await;
    assert!(!putting.is_finished());
    complete(writer, b"and late").await;
    let outcome = soon(putting).await.unwrap().unwrap();
    assert!(outcome.known);
    assert_eq!((body(&outcome.media).await, body(&media).await), (b"early and late".to_vec(), b"early and late".to_vec()));
    assert_eq!(rig.origin.requests(URL), 1);
}

#[tokio::test]
async fn refresh_contacts_the_origin_after_a_download_that_began_before_it() {
    for is_stored in [true, false] {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        let writer = serve_early(&rig).await;
        let media = arriving(&cache).await;
        rig.origin.serves(URL, fetched("newer", "text/plain", "a.txt"));
        let refreshing = {
            let cache = cache.clone();
            tokio::spawn(async move { cache.refresh(URL).await })
        };
        stats(&cache).await;
        assert!(!refreshing.is_finished());
        assert_eq!(rig.origin.requests(URL), 1, "the refresh has not contacted the origin yet");
        if is_stored {
            complete(writer, b"and late").await;
        } else {
            writer.fail(FetchError::ShortBody("the connection was closed".into()));
        }
        let refreshed = soon(refreshing).await.unwrap().unwrap();
        assert_eq!((body(&refreshed.media).await, refreshed.modified), (b"newer".to_vec(), true));
        assert_eq!(media.body.bytes().await.is_ok(), is_stored);
        assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, b"newer");
        let after = stats(&cache).await;
        assert_eq!((after.coalesced, after.refreshes_modified, rig.origin.requests(URL)), (0, 1, 2));
    }
}

#[tokio::test]
async fn request_after_a_removal_does_not_follow_the_body_that_was_arriving() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let before = arriving(&cache).await;
    assert!(cache.remove(URL).await.unwrap());
    let newer = rig.origin.serves_arriving(URL, "text/plain", beginning(b"newer ").await);
    let after = arriving(&cache).await;
    assert_eq!(first_chunk(&after).await, b"newer ");
    complete(writer, b"and late").await;
    assert_eq!(body(&before).await, b"early and late");
    complete(newer, b"and last").await;
    assert_eq!(body(&after).await, b"newer and last");
    cache.close().await.unwrap();
    let cache = rig.open().await;
    assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, b"newer and last");
    assert_eq!(rig.origin.requests(URL), 2);
}

#[tokio::test]
async fn removal_releases_an_arriving_body_that_nobody_reads_and_its_download_is_not_counted() {
    for matching in [false, true] {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        let writer = serve_early(&rig).await;
        drop(arriving(&cache).await);
        let abandoned = writer.abandoned();
        let mut released = pin!(abandoned.wait());
        assert!(released.as_mut().now_or_never().is_none());
        if matching {
            assert_eq!(cache.remove_matching(EntryFilter::Prefix(URL.into())).await.unwrap(), 1);
        } else {
            assert!(cache.remove(URL).await.unwrap());
        }
        soon(released).await;
        drop(writer);
        let counted = stats(&cache).await;
        assert_eq!((counted.downloads, counted.download_failures), (0, 0));
        assert_eq!(cache.status().await.unwrap().blob_handles, 0);
    }
}

#[tokio::test]
async fn failure_of_a_download_that_a_removal_discarded_is_neither_remembered_nor_counted() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let before = arriving(&cache).await;
    assert!(cache.remove(URL).await.unwrap());
    writer.fail(FetchError::ShortBody("the connection was closed".into()));
    assert!(before.body.bytes().await.is_err());
    rig.origin.serves_bytes(URL, b"newer".to_vec());
    assert_eq!(body(&cache.get_or_download(URL).await.unwrap()).await, b"newer");
    let counted = stats(&cache).await;
    assert_eq!((counted.downloads, counted.download_failures, counted.remembered_failures), (1, 0, 0));
}

#[tokio::test]
async fn put_of_a_body_that_is_arriving_waits_for_its_end() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    for fails in [true, false] {
        let (blob, writer) = beginning(b"early ").await.into_arriving();
        let mut put = pin!(cache.put_media("test:put", fetched(blob, "text/plain", "a.txt")));
        assert!(put.as_mut().now_or_never().is_none());
        if fails {
            writer.fail(FetchError::Gone);
            assert!(soon(put).await.is_err());
            assert!(cache.get("test:put").await.unwrap().is_none());
        } else {
            complete(writer, b"and late").await;
            assert_eq!(body(&soon(put).await.unwrap().media).await, b"early and late");
        }
    }
}

#[tokio::test]
async fn refresh_waits_for_the_end_of_an_arriving_body() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    cache.put(URL, "stored", "text/plain", "a.txt").await.unwrap();
    let writer = serve_early(&rig).await;
    writer.fail(FetchError::ShortBody("the connection was closed".into()));
    assert!(soon(cache.refresh(URL)).await.is_err());
    assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, b"stored");
    let writer = serve_early(&rig).await;
    let refreshing = {
        let cache = cache.clone();
        tokio::spawn(async move { cache.refresh(URL).await })
    };
    complete(writer, b"and late").await;
    let refreshed = soon(refreshing).await.unwrap().unwrap();
    assert!(refreshed.modified && refreshed.not_stored.is_none());
    assert_eq!(body(&cache.get(URL).await.unwrap().unwrap()).await, b"early and late");
}

#[tokio::test]
async fn closing_waits_for_an_arriving_body() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let writer = serve_early(&rig).await;
    let media = arriving(&cache).await;
    let mut closing = pin!(cache.close());
    assert!(closing.as_mut().now_or_never().is_none());
    soon(async {
        while !cache.is_closed() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(closing.as_mut().now_or_never().is_none());
    complete(writer, b"and late").await;
    soon(closing).await.unwrap();
    assert_eq!((files_exist(&rig.directory(), URL), body(&media).await), (BOTH, b"early and late".to_vec()));
    assert_eq!(rig.open().await.load_report().unwrap().from_index, 1);
}

#[tokio::test]
async fn arriving_media_that_will_not_be_stored_is_served_completely() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| entry_budget(builder, 4 * SMALL)).await;
    let large = noise(1, 100_000);
    let writer = rig.origin.serves_arriving(URL, "text/plain", beginning(&large[..10]).await);
    let media = arriving(&cache).await;
    complete(writer, &large[10..]).await;
    assert_eq!(body(&media).await, large);
    until(&cache, |stats| stats.oversize == 1).await;

    let (blob, writer) = beginning(b"early ").await.into_arriving();
    let cache_control = CacheControl { cacheability: Cacheability::NoStore, ..CacheControl::default() };
    let mut private = fetched(blob, "text/plain", "a.txt");
    private.cache_control = cache_control;
    let private = std::sync::Mutex::new(Some(private));
    rig.origin.answers(URL, move || private.lock().unwrap().take().ok_or(FetchError::Gone));
    let media = arriving(&cache).await;
    complete(writer, b"and late").await;
    assert_eq!(body(&media).await, b"early and late");
    let after = until(&cache, |stats| stats.no_store == 1).await;
    assert_eq!((after.stored, after.entries, after.downloads), (0, 0, 2));
}

#[tokio::test]
async fn bodies_in_files_count_against_the_budget_while_they_arrive() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    let mut spooled = SpooledBody::new(0, cache.spool().clone(), None);
    spooled.append(noise(1, 300_000).into()).await.unwrap();
    let writer = rig.origin.serves_arriving(URL, "text/plain", spooled);
    let before = stats(&cache).await.other_disk_bytes;
    let media = arriving(&cache).await;
    assert!(before >= 300_000, "{before}");
    complete(writer, b"late").await;
    let after = until(&cache, |stats| stats.stored == 1).await;
    assert!(after.other_disk_bytes + 300_000 <= before, "{} of {before}", after.other_disk_bytes);
    assert_eq!((body(&media).await.len(), cache.spool().arriving_bytes()), (300_004, 0));
}
