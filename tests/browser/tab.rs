//! A tab of the browser.

use std::sync::Arc;

use media_cache_test_support::soon::soon;
use serde_json::{Value, json};

use crate::devtools::DevTools;

/// A tab in its own browsing context, which is disposed of when the tab is dropped.
pub struct Tab {
    devtools: Arc<DevTools>,
    context: String,
    session: String,
}

/// The result of a navigation.
#[derive(Debug, PartialEq)]
pub enum Navigation {
    /// The tab shows a new document.
    Document,
    /// The browser offers to save a file with this name, and stays on the page.
    Download(String),
}

impl Tab {
    /// Opens a tab. Downloads are reported but not saved.
    pub async fn open(devtools: Arc<DevTools>) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let context = text(&devtools.command(None, "Target.createBrowserContext", json!({})).await["browserContextId"]);
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = text(&devtools.command(None, "Target.createTarget", target).await["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&devtools.command(None, "Target.attachToTarget", attach).await["sessionId"]);
        let downloads = json!({ "behavior": "deny", "browserContextId": context, "eventsEnabled": true });
        devtools.command(None, "Browser.setDownloadBehavior", downloads).await;
        let tab = Self { devtools, context, session };
        tab.command("Page.enable", json!({})).await;
        tab
    }

    async fn command(&self, method: &str, parameters: Value) -> Value {
        self.devtools.command(Some(&self.session), method, parameters).await
    }

    /// Navigates to a URL, and waits until the document and its embedded content are loaded, or a download begins.
    pub async fn navigate(&self, url: &str) -> Navigation {
        let mut events = self.devtools.events();
        let answer = self.command("Page.navigate", json!({ "url": url })).await;
        if let Some(error) = answer["errorText"].as_str() {
            assert_eq!(error, "net::ERR_ABORTED", "{url}");
            let download = soon(events.first(|event| is_download_of(event, url))).await;
            return Navigation::Download(download["params"]["suggestedFilename"].as_str().unwrap().to_owned());
        }
        soon(events.first(|event| event["method"] == "Page.loadEventFired" && event["sessionId"] == *self.session)).await;
        Navigation::Document
    }

    /// Evaluates an expression in the document, and waits for its value.
    ///
    /// # Panics
    /// If the expression throws.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        value_of(&self.command("Runtime.evaluate", parameters).await, expression)
    }

    /// Evaluates an expression that may lead to a download of a URL, and waits for its value, or for that download.
    pub async fn evaluate_or_download(&self, expression: &str, url: &str) -> Option<Value> {
        let mut events = self.devtools.events();
        tokio::select! {
            value = self.evaluate(expression) => Some(value),
            _ = events.first(|event| is_download_of(event, url)) => None,
        }
    }

    /// Evaluates an expression in an isolated world of the document, which works even if the document may not run scripts.
    pub async fn evaluate_in_isolation(&self, expression: &str) -> Value {
        let frames = self.command("Page.getFrameTree", json!({})).await;
        let frame = json!({ "frameId": frames["frameTree"]["frame"]["id"] });
        let context = &self.command("Page.createIsolatedWorld", frame).await["executionContextId"];
        let parameters = json!({ "expression": expression, "contextId": context, "awaitPromise": true, "returnByValue": true });
        value_of(&self.command("Runtime.evaluate", parameters).await, expression)
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        drop(self.devtools.issue(None, "Target.disposeBrowserContext", json!({ "browserContextId": self.context })));
    }
}

fn is_download_of(event: &Value, url: &str) -> bool {
    event["method"] == "Browser.downloadWillBegin" && event["params"]["url"] == url
}

fn value_of(answer: &Value, expression: &str) -> Value {
    let exception = &answer["exceptionDetails"];
    assert!(exception.is_null(), "{expression}: {}", exception["exception"]["description"]);
    answer["result"]["value"].clone()
}
