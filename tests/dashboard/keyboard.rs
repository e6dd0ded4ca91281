//! The page is usable with the keyboard alone, and survives a restart of the service.

use media_cache_server::AdminTokens;

use crate::stage::{Demo, Page, Setup};

/// Presses Tab until an element has the focus, which must be visible at each step.
async fn tab_to(page: &Page, id: &str) {
    for _ in 0..80 {
        page.tab.press("Tab").await;
        let focused = page.tab.evaluate("[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]").await;
        assert!(focused[1] != "none", "{focused} has no visible focus");
        if focused[0] == id {
            return;
        }
    }
    panic!("{id} is not reached with Tab");
}

#[tokio::test]
async fn policy_is_swapped_with_the_keyboard_alone() {
    let demo = Demo::start(Setup::default()).await;
    let Some(mut page) = Page::open(demo.address).await else { return };
    page.is_live().await;
    tab_to(&page, "swap-name").await;
    for letter in ["s", "i"] {
        page.tab.press(letter).await;
    }
    tab_to(&page, "swap").await;
    page.tab.press("Enter").await;
    page.until_text("policy-status", "is active").await;
    assert_eq!(demo.cache.policy().name, "sieve");
    page.assert_clean();
}

#[tokio::test]
async fn page_asks_for_the_token_and_keeps_it_for_the_tab() {
    let tokens = AdminTokens::new(["0123456789abcdef"]).unwrap();
    let demo = Demo::start(Setup { tokens, ..Setup::default() }).await;
    let Some(page) = Page::open(demo.address).await else { return };
    for (token, why) in [("not-this-token-at-all", "requires a token"), ("0123456789abcdef", "does not accept this token")] {
        page.tab.until("document.getElementById('token-dialog').open").await;
        page.until_text("token-why", why).await;
        for letter in token.chars() {
            page.tab.press(&letter.to_string()).await;
        }
        page.tab.press("Enter").await;
    }
    page.is_live().await;
    let kept = "[sessionStorage.length, localStorage.length, document.cookie, document.getElementById('token').value]";
    assert_eq!(page.tab.evaluate(kept).await, serde_json::json!([1, 0, "", ""]));
    page.tab.navigate(&demo.url("/dashboard")).await;
    page.is_live().await;
    page.tab.evaluate_and_load("document.getElementById('forget-token').click()").await;
    page.tab.until("document.getElementById('token-dialog').open").await;
}

#[tokio::test]
async fn page_reports_that_the_service_is_unreachable_and_reconnects() {
    let demo = Demo::start(Setup::default()).await;
    let Some(page) = Page::open(demo.address).await else { return };
    page.is_live().await;
    let address = demo.address;
    demo.stop();
    page.until_text("connection", "Trying again").await;
    page.until_text("connection", "These figures are from").await;
    let again = Demo::start_at(address, Setup::default()).await;
    again.request("https://fast.example/5.png").await;
    page.until_text("entry-count", "1").await;
    page.tab.until("document.getElementById('connection').hidden").await;
}
