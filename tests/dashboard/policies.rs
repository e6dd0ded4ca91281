//! Swaps, rollbacks and uploads in the page, against the real program.

use http::Method;
use media_cache::embedded;
use media_cache_test_support::http_client::{http_client, send};
use media_cache_test_support::service_directory::ServiceDirectory;
use serde_json::Value;

use crate::stage::Page;

/// A real service with a listener for administration, and a page.
struct Real {
    directory: ServiceDirectory,
    _service: media_cache_test_support::service_process::Service,
    address: std::net::SocketAddr,
    page: Page,
}

impl Real {
    async fn start() -> Option<Self> {
        let directory = ServiceDirectory::create();
        let mut service = directory.serve_with_only(&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]).await;
        let address = service.admin_address().await;
        let page = Page::open(address).await?;
        page.is_live().await;
        Some(Self { directory, _service: service, address, page })
    }

    async fn policy(&self) -> Value {
        let request = http_client().request(Method::GET, format!("http://{}/policy", self.address));
        send(request).await.json()
    }
}

#[tokio::test]
async fn a_click_swaps_the_policy_and_another_one_rolls_it_back() {
    let Some(mut real) = Real::start().await else { return };
    let page = &real.page;
    page.tab
        .evaluate("Object.assign(document.getElementById('swap-name'), { value: 'gdsf' }).dispatchEvent(new Event('change'))")
        .await;
    page.tab.evaluate("document.getElementById('option-beta').value = '0.5'").await;
    page.click("#swap").await;
    page.until_text("policy-status", "gdsf").await;
    page.until_text("policy-status", "is active").await;
    let policy = real.policy().await;
    assert_eq!((&policy["name"], &policy["options"]["beta"]), (&"gdsf".into(), &"0.5".into()));
    page.until_text("policy-changes", "lrugdsf:beta=0.5,cost=1swap").await;
    page.until_text("roll-back", "Roll back to lru").await;
    page.click("#roll-back").await;
    page.until_text("policy-changes", "gdsf:beta=0.5,cost=1lrurollback").await;
    assert_eq!(real.policy().await["name"], "lru");
    // An option that the policy does not accept changes nothing.
    page.tab.evaluate("document.getElementById('option-beta').value = 'many'").await;
    page.click("#swap").await;
    page.until_text("policy-status", "Nothing was changed: ").await;
    assert_eq!(real.policy().await["name"], "lru");
    real.page.recording.take();
}

#[tokio::test]
async fn a_bad_component_shows_its_verdict_and_changes_nothing_and_a_good_one_can_be_swapped_in() {
    let Some(mut real) = Real::start().await else { return };
    let before = real.policy().await;
    let page = &real.page;
    let text = real.directory.write("text.wasm", b"this is not a component");
    page.tab.choose_file("#upload-file", &text).await;
    page.until_text("policy-status", "text.wasm cannot be checked: ").await;
    let bad = real.directory.write("bad.wasm", media_cache_test_components::NAMES_TOO_FEW);
    page.tab.choose_file("#upload-file", &bad).await;
    page.until_text("policy-status", "It cannot be swapped in from here.").await;
    assert!(page.text("verdict").await.contains("failed: "));
    assert_eq!(page.tab.evaluate("document.getElementById('swap-upload')").await, Value::Null);
    let after = real.policy().await;
    assert_eq!((&after["swaps"], &after["digest"]), (&0.into(), &before["digest"]));
    assert_eq!(real.page.recording.take().errors.iter().filter(|error| !error.contains("422")).count(), 0);

    let page = &real.page;
    let good = real.directory.write("good.wasm", embedded::policy("sieve").unwrap());
    page.tab.choose_file("#upload-file", &good).await;
    page.until_text("policy-status", "passed: ").await;
    assert_eq!(real.policy().await["swaps"], 0, "a check changes nothing");
    page.click("#swap-upload").await;
    page.until_text("policy-status", "is active").await;
    assert_eq!(real.policy().await["name"], "sieve");
    real.page.assert_clean();
}
