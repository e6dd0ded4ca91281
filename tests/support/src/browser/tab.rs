//! A tab of the browser.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::soon::soon;
use serde_json::{Value, json};

use crate::browser::devtools::{DevTools, Events};

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

    /// Issues a command of the DevTools protocol to the tab.
    ///
    /// # Panics
    /// If the browser reports an error.
    pub async fn command(&self, method: &str, parameters: Value) -> Value {
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

    /// Evaluates an expression that loads another document, and waits until it is loaded.
    pub async fn evaluate_and_load(&self, expression: &str) {
        let mut events = self.devtools.events();
        drop(self.devtools.issue(Some(&self.session), "Runtime.evaluate", json!({ "expression": expression })));
        soon(events.first(|event| event["method"] == "Page.loadEventFired" && event["sessionId"] == *self.session)).await;
    }

    /// Waits until an expression is true, checking it whenever the document changes.
    ///
    /// # Panics
    /// If it takes longer than a minute, or the expression throws.
    pub async fn until(&self, expression: &str) {
        let wait = format!(
            "new Promise(resolve => {{
                const check = () => {{ if ({expression}) {{ observer.disconnect(); resolve(true) }} }};
                const observer = new MutationObserver(check);
                observer.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
                check();
            }})"
        );
        let shown = "document.body.innerText.slice(0, 2000)";
        if tokio::time::timeout(Duration::from_secs(55), self.evaluate(&wait)).await.is_err() {
            panic!("{expression} is not true: {}", self.evaluate(shown).await);
        }
    }

    /// Chooses a file in a file input.
    pub async fn choose_file(&self, selector: &str, file: &Path) {
        let input = json!({ "expression": format!("document.querySelector('{selector}')") });
        let input = &self.command("Runtime.evaluate", input).await["result"]["objectId"];
        self.command("DOM.setFileInputFiles", json!({ "objectId": input, "files": [file] })).await;
    }

    /// Presses and releases a key, such as `Tab`, `Enter` or `a`.
    pub async fn press(&self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            text => (0, text),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({ "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code });
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Emulates a window of this width, and the user's colour scheme, `light` or `dark`.
    pub async fn emulate(&self, width: u32, scheme: &str) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// A picture of the top of the document, as WebP.
    pub async fn screenshot(&self, width: u32, height: u32) -> Vec<u8> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let parameters = json!({ "format": "webp", "quality": 90, "captureBeyondViewport": true, "clip": clip });
        let picture = self.command("Page.captureScreenshot", parameters).await;
        from_base64(picture["data"].as_str().unwrap())
    }

    /// Records what goes wrong from now on: errors on the console, exceptions, and requests.
    pub async fn record(&self) -> Recording {
        let events = self.devtools.events();
        for domain in ["Runtime", "Log", "Network"] {
            self.command(&format!("{domain}.enable"), json!({})).await;
        }
        Recording { session: self.session.clone(), events }
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

/// What happens in a tab.
pub struct Recording {
    session: String,
    events: Events,
}

/// What has happened in a tab.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Errors on the console, exceptions, and violations of the content security policy.
    pub errors: Vec<String>,
    /// The URLs of all requests.
    pub requests: Vec<String>,
}

impl Recording {
    /// What has happened since the last call.
    pub fn take(&mut self) -> Recorded {
        let mut recorded = Recorded::default();
        for event in self.events.received().into_iter().filter(|event| event["sessionId"] == *self.session) {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap() {
                "Network.requestWillBeSent" => {
                    recorded.requests.push(parameters["request"]["url"].as_str().unwrap().to_owned());
                }
                "Runtime.exceptionThrown" => recorded.errors.push(parameters["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if ["error", "assert"].map(Value::from).contains(&parameters["type"]) => {
                    recorded.errors.push(parameters["args"].to_string());
                }
                "Log.entryAdded" if parameters["entry"]["level"] == "error" => {
                    recorded.errors.push(parameters["entry"].to_string())
                }
                _ => {}
            }
        }
        recorded
    }
}

/// Decodes base64 with padding.
fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for digit in text.bytes().map_while(|byte| ALPHABET.iter().position(|known| *known == byte)) {
        bits = (bits << 6) | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
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
