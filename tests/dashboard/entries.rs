//! Searching and deleting entries in the page.

use crate::stage::{Demo, Page, Setup};

async fn page() -> Option<(Demo, Page)> {
    let demo = Demo::start(Setup::default()).await;
    for url in [
        "https://a.example/cats/1.png",
        "https://a.example/dogs/2.png",
        "https://b.example/cats/3.jpg",
        "https://a.example/<b>/4.png",
    ] {
        demo.request(url).await;
    }
    let page = Page::open(demo.address).await?;
    page.is_live().await;
    Some((demo, page))
}

async fn search(page: &Page, kind: &str, text: &str, found: &str) -> String {
    let fill =
        format!("document.getElementById('search-kind').value = '{kind}'; document.getElementById('search-text').value = '{text}'");
    page.tab.evaluate(&fill).await;
    page.click("#search-form button").await;
    page.until_text("search-status", found).await;
    page.text("found").await
}

#[tokio::test]
async fn search_finds_entries_by_text_prefix_and_host() {
    let Some((_demo, mut page)) = page().await else { return };
    let found = search(&page, "contains", "CATS", "2 entries found.").await;
    assert!(found.contains("https://a.example/cats/1.png") && found.contains("https://b.example/cats/3.jpg"), "{found}");
    let found = search(&page, "prefix", "https://a.example/d", "1 entry found.").await;
    assert!(found.contains("https://a.example/dogs/2.png") && !found.contains("cats"), "{found}");
    search(&page, "host", "a.example", "3 entries found.").await;
    assert_eq!(page.tab.evaluate("document.querySelectorAll('#found b').length").await, 0, "URLs are text");
    search(&page, "contains", "nothing", "0 entries found.").await;
    page.assert_clean();
}

/// Answers the question of the page with yes.
async fn agree(page: &Page) {
    page.tab.until("document.getElementById('confirm-dialog').open").await;
    page.click("#confirm-yes").await;
}

#[tokio::test]
async fn entry_is_deleted_only_after_a_confirmation() {
    let Some((demo, mut page)) = page().await else { return };
    search(&page, "contains", "dogs", "1 entry found.").await;
    page.click("#found button").await;
    page.tab.until("document.getElementById('confirm-dialog').open").await;
    assert_eq!(page.text("confirm-text").await, "https://a.example/dogs/2.png");
    page.click("#confirm-dialog button[value=cancel]").await;
    page.tab.until("!document.getElementById('confirm-dialog').open").await;
    assert_eq!(demo.cache.status().await.unwrap().cache.entries, 4);
    page.click("#found button").await;
    agree(&page).await;
    page.until_text("search-status", "Deleted https://a.example/dogs/2.png").await;
    assert_eq!(demo.cache.status().await.unwrap().cache.entries, 3);

    search(&page, "host", "a.example", "2 entries found.").await;
    page.click("#delete-all").await;
    agree(&page).await;
    page.until_text("search-status", "Deleted 2 entries.").await;
    assert_eq!(demo.cache.status().await.unwrap().cache.entries, 1);
    page.assert_clean();
}
