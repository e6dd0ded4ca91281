//! Which URLs share an entry.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{join, join_all};
use media_cache::{CacheError, FetchError, KeyRules, MediaCache, Source, Spool, SpooledBody};
use media_cache_test_support::cache_directory::{BOTH, NEITHER, files_exist, sidecar, write_python_entry};
use media_cache_test_support::cache_requests::{body, failure, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{order, stats, until};
use media_cache_test_support::scripted_origin::text;
use media_cache_test_support::soon::soon;

const PLAIN: &str = "https://cdn.discordapp.com/attachments/1/2/cat.png";

/// The same attachment with another signature.
fn signed(signature: u32) -> String {
    format!("{PLAIN}?ex=6{signature}&is=5{signature}&hm={signature:08x}&")
}

async fn open(rig: &CacheRig, rules: &str) -> MediaCache {
    let rules: KeyRules = rules.parse().unwrap();
    rig.open_with(|builder| builder.key_rules(rules)).await
}

#[tokio::test]
async fn every_call_uses_the_cache_key_and_a_fetch_uses_the_given_url() {
    // With 0 items in memory, every hit is a call to the component. With 64, the host serves hits without it.
    for items in [0, 64] {
        let rig = CacheRig::create();
        let rules: KeyRules = "discord".parse().unwrap();
        let cache = rig.open_with(|builder| builder.key_rules(rules).max_memory_items(items)).await;
        let fresh = cache.get_or_download(&signed(1)).await.unwrap();
        assert_eq!((body(&fresh).await, fresh.source), (text(&signed(1)), Source::Origin));
        let hits = [
            cache.get_or_download(&signed(2)).await.unwrap(),
            cache.get(&signed(3)).await.unwrap().unwrap(),
            cache.get(PLAIN).await.unwrap().unwrap(),
            cache.get("HTTPS://CDN.DiscordApp.com/attachments/1/2/cat.png?hm=4#top").await.unwrap().unwrap(),
        ];
        for hit in hits {
            assert_eq!(body(&hit).await, text(&signed(1)));
            assert_ne!(hit.source, Source::Origin);
        }
        let put = cache.put(&signed(4), "something else", "image/png", "cat.png").await.unwrap();
        assert!(put.known);
        assert_eq!((cache.key(&signed(5)), order(&cache).await), (PLAIN.into(), vec![PLAIN.to_owned()]));
        assert_eq!(files_exist(&rig.directory(), PLAIN), BOTH);
        assert_eq!(files_exist(&rig.directory(), &signed(1)), NEITHER);
        assert_eq!([1, 2, 3, 4, 5].map(|signature| rig.origin.requests(&signed(signature))), [1, 0, 0, 0, 0]);
        let stats = stats(&cache).await;
        assert_eq!((stats.hits, stats.misses, stats.entries), (4, 1, 1));

        fill(&cache, &[&format!("{PLAIN}?width=100&hm=1")]).await;
        assert_eq!(order(&cache).await[1], format!("{PLAIN}?width=100"), "parameters that affect the media remain in the key");
        assert!(cache.remove(&signed(6)).await.unwrap());
        assert!(cache.get(&signed(1)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn host_serves_a_resident_entry_for_any_signed_url_of_its_cache_key() {
    let rig = CacheRig::create();
    let cache = open(&rig, "discord").await;
    fill(&cache, &[&signed(1)]).await;
    // While the component is blocked, only the host can answer.
    let stopped = rig.clock.stop();
    for signature in 2..100 {
        assert!(cache.get(&signed(signature)).now_or_never().is_some(), "{signature}");
    }
    drop(stopped);
    assert_eq!(stats(&cache).await.hits, 98);
}

#[tokio::test]
async fn sidecar_records_the_cache_key_and_a_restart_finds_the_entry_by_it() {
    let rig = CacheRig::create();
    let cache = open(&rig, "*.discordapp.com:ex+is+hm").await;
    fill(&cache, &[&signed(1)]).await;
    cache.close().await.unwrap();
    let written = sidecar(&rig.directory(), PLAIN);
    assert_eq!(written["url"], PLAIN);

    let cache = open(&rig, "discord").await;
    assert_eq!((cache.load_report().unwrap().entries, cache.load_report().unwrap().damaged), (1, 0));
    assert!(cache.get(&signed(2)).await.unwrap().is_some());
    cache.close().await.unwrap();

    let cache = rig.open().await;
    assert!(cache.get(PLAIN).await.unwrap().is_some(), "without rules, only the key itself finds the entry");
    assert!(cache.get(&signed(2)).await.unwrap().is_none());
}

#[tokio::test]
async fn entry_stored_without_key_rules_is_listed_but_not_found_with_them() {
    let rig = CacheRig::create();
    write_python_entry(&rig.directory(), &signed(1), b"bytes", "image/png", "cat.png", "1732286259.25");
    write_python_entry(&rig.directory(), PLAIN, b"others", "image/png", "cat.png", "1732286259.5");
    let cache = open(&rig, "discord").await;
    assert_eq!(order(&cache).await, [signed(1), PLAIN.to_owned()]);
    assert_eq!(body(&cache.get(&signed(1)).await.unwrap().unwrap()).await, b"others");
}

#[tokio::test]
async fn urls_with_the_same_cache_key_share_a_download() {
    let rig = CacheRig::create();
    let cache = open(&rig, "discord").await;
    let latch = rig.origin.hold(&signed(1));
    let (first, second) = (signed(1), signed(2));
    let release = async {
        latch.reached().await;
        until(&cache, |stats| stats.coalesced == 20).await;
        latch.open();
    };
    let others = join_all((0..20).map(|_| cache.get_or_download(&second)));
    let (one, (others, ())) = join(cache.get_or_download(&first), join(others, release)).await;
    for media in others.into_iter().chain([one]) {
        assert_eq!(body(&media.unwrap()).await, text(&signed(1)));
    }
    assert_eq!(rig.origin.requests(&signed(2)), 0);
    let stats = stats(&cache).await;
    assert_eq!((stats.misses, stats.downloads, stats.stored), (21, 1, 1));
}

#[tokio::test]
async fn url_whose_cache_key_is_arriving_by_another_url_follows_its_body() {
    let rig = CacheRig::create();
    let cache = open(&rig, "discord").await;
    let [forged, first, second] = [format!("{PLAIN}?ex=1&is=1&hm=forged&"), signed(1), signed(2)];
    rig.origin.fails(&forged, FetchError::NotFound);
    let mut writers = Vec::new();
    for url in [&first, &second] {
        let mut body = SpooledBody::new(1 << 20, Spool::temporary(), None);
        body.append(url.clone().into()).await.unwrap();
        writers.push(rig.origin.serves_arriving(url, "text/plain", body));
    }
    let latches = [&forged, &first, &second].map(|url| rig.origin.hold(url));
    let release = async {
        latches[0].reached().await;
        until(&cache, |stats| stats.coalesced == 2).await;
        latches[0].open();
        latches[1].reached().await;
        latches[2].reached().await;
        latches[1].open();
    };
    let begin = async {
        let leader = cache.get_or_download(&first).await.unwrap();
        latches[2].open();
        leader
    };
    let requests = tokio::time::timeout(
        Duration::from_secs(30),
        join(failure(&cache, &forged), join(join(begin, cache.get_or_download(&second)), release)),
    );
    let (_, ((leader, follower), ())) = requests.await.expect("both are served before either body is complete");
    let follower = follower.unwrap();
    assert!(leader.body.is_arriving() && follower.body.is_arriving());
    let unneeded = writers.pop();
    writers.pop().unwrap().finish(|error| FetchError::Other(error.to_string())).await;
    assert_eq!((body(&leader).await, body(&follower).await), (first.clone().into_bytes(), first.clone().into_bytes()));
    drop(unneeded);
    let after = until(&cache, |stats| stats.stored == 1).await;
    assert_eq!((after.misses, after.coalesced, after.downloads, after.download_failures), (3, 2, 1, 1));
}

#[tokio::test]
async fn complete_body_is_not_abandoned_for_the_arriving_body_of_another_url() {
    let rig = CacheRig::create();
    let cache = open(&rig, "discord").await;
    let [forged, first, second] = [format!("{PLAIN}?ex=1&is=1&hm=forged&"), signed(1), signed(2)];
    rig.origin.fails(&forged, FetchError::NotFound);
    let mut beginning = SpooledBody::new(1 << 20, Spool::temporary(), None);
    beginning.append("early bytes".into()).await.unwrap();
    let writer = rig.origin.serves_arriving(&first, "text/plain", beginning);
    let latches = [&forged, &first, &second].map(|url| rig.origin.hold(url));
    let release = async {
        latches[0].reached().await;
        until(&cache, |stats| stats.coalesced == 2).await;
        latches[0].open();
        latches[1].reached().await;
        latches[2].reached().await;
        latches[1].open();
    };
    let arrives = async {
        let arriving = cache.get_or_download(&first).await.unwrap();
        assert!(arriving.body.is_arriving());
        latches[2].open();
        until(&cache, |stats| stats.downloads == 1).await;
        writer.fail(FetchError::ShortBody("the connection was closed".into()));
        arriving
    };
    let requests = tokio::time::timeout(
        Duration::from_secs(30),
        join(failure(&cache, &forged), join(join(arrives, cache.get_or_download(&second)), release)),
    );
    let (_, ((arriving, complete), ())) = requests.await.expect("all requests are answered");
    assert!(arriving.body.bytes().await.is_err());
    assert_eq!(body(&complete.unwrap()).await, text(&second));
    until(&cache, |stats| stats.stored == 1).await;
}

#[tokio::test]
async fn failed_url_does_not_fail_other_urls_with_the_same_cache_key() {
    let rig = CacheRig::create();
    let cache = open(&rig, "discord").await;
    let forged = format!("{PLAIN}?ex=1&is=1&hm=forged&");
    rig.origin.fails(&forged, FetchError::NotFound);
    let gates = [&forged, &signed(1), &signed(2)].map(|url| rig.origin.hold(url));
    let (one, other) = (signed(1), signed(2));
    let release = async {
        gates[0].reached().await;
        // All requests wait for the one that will fail. Then they continue in parallel.
        until(&cache, |stats| stats.coalesced == 4).await;
        gates[0].open();
        gates[1].reached().await;
        gates[2].reached().await;
        gates[1].open();
        until(&cache, |stats| stats.stored == 1).await;
        gates[2].open();
    };
    let good = join_all([&one, &one, &other, &other].map(|url| cache.get_or_download(url)));
    let (failed, (good, ())) = join(failure(&cache, &forged), join(good, release)).await;
    assert_eq!(failed, FetchError::NotFound);
    for media in good {
        assert_eq!(body(&media.unwrap()).await, text(&signed(1)), "the version that was stored first is kept");
    }
    assert_eq!([&forged, &signed(1), &signed(2)].map(|url| rig.origin.requests(url)), [1, 1, 1]);
    let stats = stats(&cache).await;
    assert_eq!((stats.misses, stats.downloads, stats.stored, stats.store_failures), (5, 2, 1, 0));
}

#[tokio::test]
async fn request_follows_a_fetch_by_another_url_before_it_recalls_a_failure() {
    for fails in [false, true] {
        let rig = CacheRig::create();
        let cache = open(&rig, "discord").await;
        let (forged, good) = (format!("{PLAIN}?ex=1&is=1&hm=forged&"), signed(1));
        rig.origin.fails(&forged, FetchError::NotFound);
        assert_eq!(failure(&cache, &forged).await, FetchError::NotFound);
        let mut beginning = SpooledBody::new(1 << 20, Spool::temporary(), None);
        beginning.append("early ".into()).await.unwrap();
        let mut writer = rig.origin.serves_arriving(&good, "text/plain", beginning);
        if fails {
            rig.origin.fails(&good, FetchError::Gone);
        }
        let latch = rig.origin.hold(&good);
        let release = async {
            until(&cache, |stats| stats.coalesced == 1).await;
            latch.open();
        };
        let begin = async {
            let fetch = cache.get_or_download(&good);
            let waiting = async {
                latch.reached().await;
                cache.get_or_download(&forged).await
            };
            join(join(fetch, waiting), release).await.0
        };
        let (fetched, waited) = soon(begin).await;
        if fails {
            assert!(matches!(waited, Err(CacheError::Fetch(FetchError::NotFound))), "{waited:?}");
        } else {
            let later = soon(cache.get_or_download(&forged)).await.expect("the body is arriving");
            writer.append("and late".into()).await.unwrap();
            writer.finish(|error| FetchError::Other(error.to_string())).await;
            for media in [fetched.unwrap(), waited.unwrap(), later] {
                assert_eq!(body(&media).await, b"early and late");
            }
        }
        let counted = stats(&cache).await;
        assert_eq!((rig.origin.requests(&forged), counted.remembered_failures), (1, u64::from(fails)));
    }
}

#[tokio::test]
async fn failure_is_remembered_for_the_given_url_and_not_for_its_cache_key() {
    let rig = CacheRig::create();
    let cache = open(&rig, "discord").await;
    let forged = format!("{PLAIN}?ex=1&is=1&hm=forged&");
    rig.origin.fails(&forged, FetchError::NotFound);
    for _ in 0..2 {
        assert_eq!(failure(&cache, &forged).await, FetchError::NotFound);
    }
    assert_eq!(rig.origin.requests(&forged), 1);
    fill(&cache, &[&signed(1)]).await;
    rig.clock.advance(Duration::from_secs(1));
    fill(&cache, &[&forged]).await;
    assert_eq!(rig.origin.requests(&forged), 1, "a stored entry is served for every URL with its cache key");
}

#[tokio::test]
async fn matrix_cache_key_is_server_and_media_id_even_without_rules() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    fill(&cache, &["mxc://Example.org/aBc?x#y", "mxc://example.org/aBc", "mxc://example.org/abc"]).await;
    assert_eq!(order(&cache).await, ["mxc://example.org/aBc", "mxc://example.org/abc"]);
    assert_eq!(rig.origin.requests("mxc://Example.org/aBc?x#y"), 1, "the origin gets the URL as given");
}
