//! Replaces the cache component while the body of a download is arriving.

use std::time::Duration;

use futures::StreamExt;
use media_cache::{FetchError, MediaCache, Source, Spool, SpooledBody};
use media_cache_test_support::cache_requests::{body, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::{stats, until};
use media_cache_test_support::soon::soon;

use crate::component::OTHER;

const URL: &str = "x:arriving";

#[tokio::test]
async fn body_that_arrives_during_a_swap_is_served_by_the_old_component_and_stored_by_the_new_one() {
    for fails in [false, true] {
        let rig = CacheRig::create();
        let cache = rig.open().await;
        let mut beginning = SpooledBody::new(1000, Spool::temporary(), None);
        beginning.append("early ".into()).await.unwrap();
        let mut writer = rig.origin.serves_arriving(URL, "text/plain", beginning);
        let request = |cache: &MediaCache| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.get_or_download(URL).await })
        };
        let (first, second) = (soon(request(&cache)).await.unwrap().unwrap(), soon(request(&cache)).await.unwrap().unwrap());
        assert!(first.body.is_arriving() && second.body.is_arriving());
        soon(cache.swap_component(OTHER.clone())).await.unwrap();
        let third = request(&cache);
        rig.clock.advance(Duration::from_secs(2));
        // The new component serves other requests in the meantime.
        fill(&cache, &["x:a"]).await;
        let mut chunks = Box::pin(first.body.stream(0..u64::MAX));
        assert_eq!(soon(chunks.next()).await.unwrap().unwrap(), "early ");
        if fails {
            writer.fail(FetchError::ShortBody("the connection was closed".into()));
            assert!(soon(chunks.next()).await.unwrap().is_err());
            assert!(soon(third).await.unwrap().is_err(), "the origin serves nothing else");
            let stats = until(&cache, |stats| stats.download_failures == 2).await;
            assert_eq!((stats.stored, stats.entries), (1, 1));
            continue;
        }
        writer.append("and late".into()).await.unwrap();
        writer.finish(|error| FetchError::Other(error.to_string())).await;
        assert_eq!(soon(chunks.next()).await.unwrap().unwrap(), "and late");
        let third = soon(third).await.unwrap().unwrap();
        for media in [&second, &third] {
            assert_eq!(body(media).await, b"early and late");
        }
        assert_eq!(rig.origin.requests(URL), 1, "nothing is fetched twice");
        let stored = cache.get(URL).await.unwrap().unwrap();
        assert!(stored.source != Source::Origin, "the media is stored");
        assert_eq!(stored.stored_at(), first.stored_at(), "the time is the announced one");
        let counted = until(&cache, |stats| stats.downloads == 2).await;
        assert_eq!((counted.stored, counted.not_ready), (2, 0));
        drop((first, second, third, stored));
        let handles =
            async { while cache.status().await.unwrap().blob_handles as u64 > stats(&cache).await.resident_entries + 2 {} };
        soon(handles).await;
    }
}
