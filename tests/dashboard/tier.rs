//! The second tier on the page, which is shown only if there is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use media_cache::Histogram;
use media_cache_server::{SecondTier, TierOutage, TierReport};

use crate::stage::{Demo, Page, Setup};

const BOUNDS: &[Duration] = &[Duration::from_secs(1)];

/// A tier with fixed counters.
#[derive(Default)]
pub struct FixedTier {
    fails: AtomicBool,
}

impl FixedTier {
    /// A tier that cannot be read.
    pub fn failing() -> Self {
        Self { fails: true.into() }
    }
}

impl SecondTier for FixedTier {
    fn report(&self) -> TierReport {
        let outage = TierOutage { reason: "the store answered <b>503</b>".into(), since: SystemTime::UNIX_EPOCH };
        TierReport {
            location: "s3://bucket/media".into(),
            read_outage: self.fails.load(SeqCst).then_some(outage),
            write_outage: None,
            lookups: vec![("hit", 30), ("miss", 12), ("damaged", 1), ("refused", 2), ("failed", 4), ("paused", 3), ("busy", 5)],
            lookup_durations: Histogram::new(BOUNDS).snapshot(),
            received_bytes: 2048,
            uploads: vec![("stored", 11), ("skipped", 0), ("failed", 1), ("dropped", 0)],
            sent_bytes: 1024,
            queued: 7,
            leases: Vec::new(),
        }
    }
}

#[tokio::test]
async fn section_shows_the_state_and_the_counters_of_the_tier() {
    let tier = Arc::new(FixedTier::default());
    let demo = Demo::start(Setup { tier: Some(tier.clone()), ..Setup::default() }).await;
    let Some(mut page) = Page::open(demo.address).await else { return };
    page.is_live().await;
    page.until_text("tier-location", "s3://bucket/media").await;
    for (id, text) in [
        ("tier-reads", "works"),
        ("tier-writes", "works"),
        ("tier-hits", "30"),
        ("tier-hits-note", "2.00 KiB received"),
        ("tier-misses", "12"),
        ("tier-errors", "5"),
        ("tier-errors-note", "8 lookups omitted, 2 refused"),
        ("tier-queued", "7"),
        ("tier-uploads-note", "11 stored, 1 failed, 0 dropped"),
    ] {
        assert_eq!(page.text(id).await, text, "{id}");
    }
    page.tab
        .until("document.getElementById('tier').checkVisibility() && document.getElementById('tier-link').checkVisibility()")
        .await;
    assert_eq!(page.tab.evaluate("document.getElementById('tier-problem').checkVisibility()").await, false);
    tier.fails.store(true, SeqCst);
    page.until_text("tier-reads", "fails").await;
    page.until_text("tier-problem", "Reading has failed since 1 Jan").await;
    assert!(page.text("tier-problem").await.contains("the store answered <b>503</b>"));
    assert_eq!(page.text("tier-writes").await, "works");
    page.assert_clean();
}

#[tokio::test]
async fn section_is_hidden_without_a_tier() {
    let demo = Demo::start(Setup::default()).await;
    let Some(mut page) = Page::open(demo.address).await else { return };
    page.is_live().await;
    for id in ["tier", "tier-link"] {
        assert_eq!(page.tab.evaluate(&format!("document.getElementById('{id}').checkVisibility()")).await, false, "{id}");
    }
    page.assert_clean();
}
