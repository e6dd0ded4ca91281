//! Failed downloads: how long they are remembered, and which errors callers get.

use std::time::Duration;

use media_cache::{FailureKind, FetchError};
use media_cache_test_support::cache_requests::{failure, fill};
use media_cache_test_support::cache_rig::CacheRig;
use media_cache_test_support::cache_state::stats;

const MILLISECOND: Duration = Duration::from_millis(1);

fn why() -> String {
    "because".into()
}

fn unavailable(retry_after_seconds: Option<u32>) -> FetchError {
    FetchError::Unavailable(retry_after_seconds)
}

/// One failure of each kind, and how long it is remembered by default.
fn kinds() -> [(FetchError, Duration); 22] {
    let (short, medium, long) = (Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(300));
    [
        (FetchError::InvalidUrl(why()), Duration::ZERO),
        (FetchError::Refused(why()), medium),
        (FetchError::NotFound, medium),
        (FetchError::Gone, long),
        (FetchError::Denied(403), medium),
        (FetchError::UnavailableForLegalReasons, long),
        (FetchError::OriginStatus(418), short),
        (FetchError::TooLarge(u64::MAX), long),
        (FetchError::TimedOut(why()), short),
        (FetchError::Unreachable(why()), short),
        (FetchError::BrokenAnswer(why()), short),
        (FetchError::ShortBody(why()), short),
        (FetchError::OverlongBody(why()), short),
        (FetchError::EmptyBody, short),
        (FetchError::PartialBody, short),
        (FetchError::EncodedBody("gzip".into()), short),
        (FetchError::UnacceptableType("text/html".into()), long),
        (FetchError::TooManyRedirects(7), medium),
        (unavailable(Some(30)), Duration::from_secs(30)),
        (FetchError::Overloaded(Some(9)), Duration::ZERO),
        (FetchError::custom("the bot is offline"), Duration::ZERO),
        (FetchError::Other(why()), short),
    ]
}

#[tokio::test]
async fn each_failure_kind_is_remembered_for_its_ttl_and_returned_unchanged() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    for (expected, time) in kinds() {
        let url = &format!("test:{}", expected.name());
        rig.origin.fails(url, expected.clone());
        assert_eq!(failure(&cache, url).await, expected);
        if !time.is_zero() {
            rig.origin.fails(url, FetchError::OriginStatus(599));
            assert_eq!(failure(&cache, url).await, expected, "the failure is remembered");
            rig.clock.advance(time - MILLISECOND);
            assert_eq!(failure(&cache, url).await.kind(), expected.kind(), "{url}, just before the failure expires");
            assert_eq!(rig.origin.requests(url), 1, "{url}");
            rig.clock.advance(MILLISECOND);
        }
        failure(&cache, url).await;
        assert_eq!(rig.origin.requests(url), 2, "{url} is requested again");
    }
    assert_eq!(FailureKind::ALL.map(FailureKind::name), kinds().map(|(failure, _)| failure.name()), "the test covers every kind");
    let stats = stats(&cache).await;
    assert_eq!((stats.misses, stats.download_failures, stats.remembered_failures), (3 * 2 + 19 * 4, 2 * 22, 2 * 19));
}

#[tokio::test]
async fn remembered_unavailable_failure_reports_the_remaining_retry_after() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    for (asked, left) in [(None, 5), (Some(0), 1), (Some(30), 30), (Some(600), 600)] {
        let url = &format!("test:{asked:?}");
        rig.origin.fails(url, unavailable(asked));
        assert_eq!(failure(&cache, url).await, unavailable(asked), "the first error has the origin's value");
        assert_eq!(failure(&cache, url).await, unavailable(Some(left)));
        rig.clock.advance(MILLISECOND);
        assert_eq!(failure(&cache, url).await, unavailable(Some(left)), "the remaining time is rounded up to whole seconds");
        rig.clock.advance(Duration::from_secs(u64::from(left) - 1));
        assert_eq!(failure(&cache, url).await, unavailable(Some(1)));
        assert_eq!(rig.origin.requests(url), 1);
        rig.clock.advance(Duration::from_secs(1));
        failure(&cache, url).await;
        assert_eq!(rig.origin.requests(url), 2);
    }
}

#[tokio::test]
async fn retry_after_from_the_origin_is_capped_at_the_configured_maximum() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.max_retry_after(Duration::from_secs(20))).await;
    rig.origin.fails("test:a", unavailable(Some(u32::MAX)));
    for _ in 0..2 {
        assert_eq!(failure(&cache, "test:a").await, unavailable(Some(20)));
    }
    rig.clock.advance(Duration::from_secs(20));
    failure(&cache, "test:a").await;
    assert_eq!(rig.origin.requests("test:a"), 2);
}

#[tokio::test]
async fn ttl_of_a_failure_kind_overrides_the_general_ttl() {
    let rig = CacheRig::create();
    let seconds = Duration::from_secs;
    let set = |builder: media_cache::Builder| {
        let builder = builder.failure_memory(seconds(1)).failure_memory_of(FailureKind::Gone, seconds(90));
        builder.failure_memory_of(FailureKind::NotFound, Duration::ZERO)
    };
    let cache = rig.open_with(set).await;
    for (url, error) in
        [("test:gone", FetchError::Gone), ("test:missing", FetchError::NotFound), ("test:other", FetchError::EmptyBody)]
    {
        rig.origin.fails(url, error);
        failure(&cache, url).await;
    }
    let asked = || ["test:gone", "test:missing", "test:other"].map(|url| rig.origin.requests(url));
    let ask = async || {
        for url in ["test:gone", "test:missing", "test:other"] {
            failure(&cache, url).await;
        }
    };
    ask().await;
    assert_eq!(asked(), [1, 2, 1]);
    rig.clock.advance(seconds(1));
    ask().await;
    assert_eq!(asked(), [1, 3, 2]);
    rig.clock.advance(seconds(89));
    ask().await;
    assert_eq!(asked(), [2, 4, 3]);
}

#[tokio::test]
async fn failures_with_a_ttl_of_zero_are_not_remembered() {
    let rig = CacheRig::create();
    let cache = rig.open_with(|builder| builder.failure_memory(Duration::ZERO)).await;
    for (error, _) in kinds() {
        let url = &format!("test:{}", error.name());
        rig.origin.fails(url, error);
        for asked in 1..4 {
            failure(&cache, url).await;
            assert_eq!(rig.origin.requests(url), asked, "{url}");
        }
    }
    assert_eq!(stats(&cache).await.remembered_failures, 0);
}

#[tokio::test]
async fn remove_forgets_a_remembered_failure() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.fails("test:a", FetchError::Gone);
    failure(&cache, "test:a").await;
    assert!(!cache.remove("test:a").await.unwrap(), "nothing was stored");
    failure(&cache, "test:a").await;
    assert_eq!(rig.origin.requests("test:a"), 2);
}

#[tokio::test]
async fn put_media_is_served_despite_a_remembered_failure() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.fails("test:a", FetchError::Gone);
    failure(&cache, "test:a").await;
    cache.put("test:a", "uploaded", "text/plain", "a.txt").await.unwrap();
    fill(&cache, &["test:a"]).await;
    assert_eq!(rig.origin.requests("test:a"), 1);
}

#[tokio::test]
async fn long_failure_message_is_truncated() {
    let rig = CacheRig::create();
    let cache = rig.open().await;
    rig.origin.fails("test:a", FetchError::Other("a very long story ".repeat(10_000)));
    for _ in 0..2 {
        let FetchError::Other(text) = failure(&cache, "test:a").await else { panic!("unexpected kind of failure") };
        assert!(text.starts_with("a very long story ") && text.ends_with('…') && text.len() < 600, "{} bytes", text.len());
    }
}
