//! A browser that navigates to media displays it, or saves it if it is active content.

use media_cache_test_support::images::{jpeg, png};
use media_cache_test_support::videos::mp4;
use serde_json::json;

use crate::media::wav;
use crate::payloads::{Payload, css, feed, html, mhtml, pdf, script, svg, wasm, xhtml, xslt};
use crate::stage::Stage;
use media_cache_test_support::browser::tab::Navigation::{Document, Download};

/// Media that is saved: a file name, a type, and the content.
const SAVED: [(&str, &str, Payload); 17] = [
    ("a.svg", "image/svg+xml", svg),
    ("a.html", "text/html", html),
    ("a.xhtml", "application/xhtml+xml", xhtml),
    ("a.xml", "application/xml", xhtml),
    ("b.xml", "text/xml", svg),
    ("a.atom", "application/atom+xml", feed),
    ("a.rss", "application/rss+xml", feed),
    ("a.xsl", "text/xsl", xslt),
    ("a.mml", "application/mathml+xml", xhtml),
    ("a.pdf", "application/pdf", pdf),
    ("a.js", "text/javascript", script),
    ("a.css", "text/css", css),
    ("a.mhtml", "multipart/related", mhtml),
    ("b.mhtml", "message/rfc822", mhtml),
    ("a.wasm", "application/wasm", wasm),
    ("a.bin", "application/octet-stream", html),
    ("a.x", "x/y", html),
];

#[tokio::test]
async fn media_with_active_content_is_saved_on_navigation() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    for (name, mimetype, payload) in SAVED {
        let path = stage.stores(name, mimetype, payload(&stage.site.url(&format!("/ran/{name}")))).await;
        for url in stage.urls(&path) {
            let shown = stage.tab.navigate(&url).await;
            let Download(saved) = &shown else { panic!("{name} is displayed at {url}") };
            assert_eq!(saved, name, "{url}");
        }
        assert!(!stage.site.ran(name), "{name}");
    }
}

#[tokio::test]
async fn images_video_and_audio_are_displayed() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    // The browser creates a document for these. Its load event waits for the media.
    let size = "(shown => [document.contentType, shown.naturalWidth ?? (shown.readyState && shown.videoWidth)])
        (document.images[0] ?? document.querySelector('video'))";
    for (name, mimetype, bytes, width) in [
        ("a.png", "image/png", png(1), 16),
        ("a.jpg", "image/jpeg", jpeg(1), 32),
        ("a.mp4", "video/mp4", mp4().await, 48),
        ("a.wav", "audio/wav", wav(), 0),
    ] {
        let path = stage.stores(name, mimetype, bytes).await;
        for url in stage.urls(&path) {
            assert_eq!(stage.tab.navigate(&url).await, Document, "{url}");
            assert_eq!(stage.tab.evaluate_in_isolation(size).await, json!([mimetype, width]), "{url}");
        }
    }
}

#[tokio::test]
async fn text_is_displayed_as_text() {
    let Some(stage) = Stage::set_up(&[]).await else { return };
    let path = stage.stores("a.txt", "text/plain", html(&stage.site.url("/ran/text"))).await;
    for url in stage.urls(&path) {
        assert_eq!(stage.tab.navigate(&url).await, Document);
        let text =
            stage.tab.evaluate_in_isolation("[document.contentType, document.body.innerText.slice(0, 15), self.origin]").await;
        assert_eq!(text, json!(["text/plain", "<!doctype html>", "null"]), "{url}");
    }
    assert!(!stage.site.ran("text"));
}
