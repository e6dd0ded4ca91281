//! A headless Chromium, driven through pipes: it opens no port, and ends when the pipes are closed, even if the tests are killed.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::browser::devtools::DevTools;
use crate::browser::tab::Tab;

/// The Chromium that all running tests share.
static SHARED: Mutex<Weak<Chromium>> = Mutex::new(Weak::new());

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
];

/// A browser process, which exits when this is dropped.
pub struct Chromium {
    devtools: Arc<DevTools>,
    child: Child,
    /// The profile.
    _directory: TempDir,
}

impl Chromium {
    /// The browser that concurrent tests share. `None` if Chromium is not installed.
    pub fn shared() -> Option<Arc<Self>> {
        if media_cache_test_skip::unless_installed("chromium") {
            return None;
        }
        let mut shared = SHARED.lock().unwrap();
        let running = shared.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start());
            *shared = Arc::downgrade(&started);
            started
        });
        Some(running)
    }

    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The shell turns its standard streams into the descriptors 3 and 4, over which the browser speaks the protocol.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "chromium"]).args(FLAGS);
        command.arg(format!("--user-data-dir={}", directory.path().display()));
        // Ignores the settings of the user's desktop.
        command.env("HOME", directory.path()).env_remove("DBUS_SESSION_BUS_ADDRESS").arg("about:blank");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let devtools = DevTools::over(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { devtools: Arc::new(devtools), child, _directory: directory }
    }

    /// Opens a tab with its own cookies, caches and service workers.
    pub async fn tab(&self) -> Tab {
        Tab::open(self.devtools.clone()).await
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.devtools.issue(None, "Browser.close", json!({})));
        if !self.devtools.wait_for_end(Duration::from_secs(10)) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
