//! axe-core finds nothing serious, in both colour schemes and at the width of a phone. With `UPDATE_DOCS=1`, the tests
//! also write the screenshot of the page for the documents.

use std::sync::Arc;

use media_cache_test_support::workspace::workspace_path;
use serde_json::{Value, json};

use crate::shadows::FixedReport;
use crate::stage::{Demo, Page, Setup};
use crate::tier::FixedTier;

/// Samples of a day that a new service does not have.
fn history(now: f64) -> Value {
    let samples = |count: u32, seconds: f64| -> Vec<Value> {
        let mut counts = [0.0; 6];
        let sample = |number: u32| {
            let wave = (f64::from(number) / 23.0).sin() * 0.06 + (f64::from(number) / 5.0).sin() * 0.02;
            let requests = 40.0 + 30.0 * (f64::from(number) / 60.0).sin();
            let (hits, bytes) = (0.78 + wave, 0.69 + wave * 1.4);
            let parts = [hits * 0.7, hits * 0.3, 1.0 - hits, bytes * 0.5 * 3e4, bytes * 0.5 * 3e4, (1.0 - bytes) * 3e4];
            for (count, part) in counts.iter_mut().zip(parts) {
                *count += requests * part;
            }
            let at = now - f64::from(count - 1 - number) * seconds;
            json!([at, counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]])
        };
        (0..count).map(sample).collect()
    };
    json!({ "recent": samples(181, 5.0), "day": samples(289, 300.0) })
}

/// A service that has served a few thousand requests.
async fn busy() -> Demo {
    let demo =
        Demo::start(Setup { shadows: Some(Arc::new(FixedReport)), tier: Some(Arc::new(FixedTier::failing())), ..Setup::default() })
            .await;
    let hosts = ["cdn.example", "slow.example", "images.example", "media.example.org"];
    for round in 0..400_u32 {
        let number = (round * round) % 97;
        let name = ["png", "jpg", "webp", "mp4"][(number % 13 / 4) as usize];
        demo.request(&format!("https://{}/{number}.{name}", hosts[(number % 4) as usize])).await;
    }
    for number in 0..3 {
        demo.request(&format!("https://broken.example/{number}.png")).await;
    }
    demo
}

#[tokio::test]
async fn axe_finds_nothing_serious_in_light_dark_and_on_a_phone() {
    let axe = workspace_path("tests/dashboard/axe/node_modules/axe-core/axe.min.js");
    if media_cache_test_skip::unless(axe.exists(), "axe-core: npm ci --prefix tests/dashboard/axe") {
        return;
    }
    let axe = std::fs::read_to_string(axe).unwrap();
    let demo = busy().await;
    let Some(page) = Page::open(demo.address).await else { return };
    page.is_live().await;
    page.tab
        .evaluate("Object.assign(document.getElementById('swap-name'), { value: 'gdsf' }).dispatchEvent(new Event('change'))")
        .await;
    page.click("#swap").await;
    page.until_text("policy-changes", "swap").await;
    page.tab.evaluate("document.getElementById('search-text').value = 'slow'").await;
    page.click("#search-form button").await;
    page.until_text("search-status", "found").await;
    let now = page.tab.evaluate("Date.now() / 1000").await.as_f64().unwrap();
    let show = format!("import('/dashboard/overview.js').then(overview => overview.showHistory({}))", history(now));
    page.tab.evaluate(&show).await;
    page.tab.evaluate(&axe).await;
    for (name, width, scheme) in
        [("light", 1280, "light"), ("dark", 1280, "dark"), ("phone", 360, "light"), ("narrowest", 320, "dark")]
    {
        page.tab.emulate(width, scheme).await;
        let drawn = if width < 640 { 360 } else { 1200 };
        page.tab.until(&format!("document.getElementById('curve-plot').naturalWidth === {drawn}")).await;
        let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(page.tab.evaluate(overflow).await, 0, "{name}: the page scrolls only vertically");
        let findings = page.tab.evaluate("axe.run().then(({ violations }) => violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))").await;
        assert_eq!(findings, json!([]), "{name}");
        if name == "light" && std::env::var_os("UPDATE_DOCS").is_some() {
            // As far as the end of the curves.
            let bottom = "document.getElementById('curve-plot').getBoundingClientRect().bottom + scrollY";
            let height = page.tab.evaluate(bottom).await.as_f64().unwrap() as u32;
            std::fs::write(workspace_path("docs/images/dashboard.webp"), page.tab.screenshot(width, height).await).unwrap();
        }
    }
}
