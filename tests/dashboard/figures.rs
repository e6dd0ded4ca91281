//! The figures of the page equal those of the documents.

use std::sync::Arc;

use media_cache_test_support::http_client::{http_client, send};
use serde_json::Value;

use crate::shadows::{FixedReport, document};
use crate::stage::{Demo, Page, Setup};

/// A JSON document of the service.
async fn json(demo: &Demo, path: &str) -> Value {
    send(http_client().get(demo.url(path))).await.json()
}

#[tokio::test]
async fn page_shows_the_figures_of_stats_and_policy() {
    let demo = Demo::start(Setup::default()).await;
    for number in [1, 2, 3, 1, 1, 2] {
        demo.request(&format!("https://fast.example/{number}.png")).await;
    }
    demo.request("https://broken.example/1.png").await;
    let Some(mut page) = Page::open(demo.address).await else { return };
    page.is_live().await;
    let (stats, policy) = (json(&demo, "/stats").await, json(&demo, "/policy").await);
    let cache = &stats["media_cache"];
    assert_eq!((cache["hits"].as_u64(), cache["misses"].as_u64()), (Some(3), Some(4)));
    page.until_text("totals", "3 hits and 4 misses, a hit ratio of 42.9 %").await;
    assert_eq!(page.text("request-hit-ratio").await, "50.0 %", "failed downloads are not responses with media");
    assert_eq!(page.text("entry-count").await, cache["total_entries"].to_string());
    assert_eq!(page.text("entry-note").await, "26.4 KiB of media");
    assert_eq!(cache["total_bytes"], 27_000);
    assert_eq!(page.text("saved-requests").await, "3");
    assert_eq!(page.text("saved-bytes").await, "20.5 KiB", "6000 + 6000 + 9000 bytes");
    assert!(page.text("saved-time-note").await.starts_with("estimate: a miss takes "));
    assert_eq!(page.text("policy-name").await, policy["name"].as_str().unwrap());
    assert_eq!(page.text("policy-doc").await, policy["doc"].as_str().unwrap());
    let hosts = page.text("hosts").await;
    assert!(hosts.contains("fast.example30") && hosts.contains("broken.example11 (100.0 %)"), "{hosts}");
    page.until_text("distribution-note", "All 3 entries.").await;
    let distributions = page.text("distributions").await;
    assert!(distributions.contains("up to 10 KiB2") && distributions.contains("image/png3"), "{distributions}");
    assert_eq!(
        page.text("shadow-note").await,
        "No shadow policies are running, so the active policy cannot be compared with others."
    );
    assert_eq!(page.text("health-text").await, "Storing");
    page.assert_clean();
}

#[tokio::test]
async fn page_shows_the_figures_of_shadow_policies_as_curves_and_as_a_table() {
    let demo = Demo::start(Setup { shadows: Some(Arc::new(FixedReport)), ..Setup::default() }).await;
    assert_eq!(json(&demo, "/shadows").await, document());
    let Some(mut page) = Page::open(demo.address).await else { return };
    page.tab
        .until("document.getElementById('curve-plot').complete && document.getElementById('curve-plot').naturalWidth > 0")
        .await;
    let rows = page.tab.evaluate(
        "[...document.querySelectorAll('#curve-table tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))",
    );
    let rows: Vec<Vec<String>> = serde_json::from_value(rows.await).unwrap();
    assert_eq!(rows.len(), 7, "six policies and the bound");
    assert_eq!(rows[0][..2], ["lruactive", "62.0 %73.2 % of bytes"]);
    assert_eq!(rows[3][3], "25.7 % ±0.430.4 % of bytes");
    assert_eq!((rows[5][0].as_str(), rows[6][0].as_str()), ("gdsfdropped", "lower bound"));
    assert!(page.text("advice-text").await.starts_with(document()["advice"]["text"].as_str().unwrap()));
    let alternative = page.tab.evaluate("document.getElementById('curve-plot').alt").await;
    let alternative = alternative.as_str().unwrap();
    assert!(alternative.contains("gdsf:beta=0.5 has the lowest miss ratio, 25.7 %"), "{alternative}");
    page.click("#take-advice").await;
    page.until_text("policy-options", "beta=0.5").await;
    for (width, layout) in [(1280, 1200), (360, 360)] {
        page.tab.emulate(width, "dark").await;
        page.tab.until(&format!("document.getElementById('curve-plot').naturalWidth === {layout}")).await;
    }
    page.assert_clean();
}
