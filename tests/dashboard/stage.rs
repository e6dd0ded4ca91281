//! A service with a dashboard, and a tab that shows it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use media_cache::{MediaCache, NoTranscoder};
use media_cache_server::metrics::Metrics;
use media_cache_server::{
    Access, AdminTokens, ClientLimits, Connections, Extras, Listener, PolicyCheck, SecondTier, Service, ShadowReport,
    serve_connections,
};
use media_cache_test_support::browser::chromium::Chromium;
use media_cache_test_support::browser::tab::{Recording, Tab};
use media_cache_test_support::cache_rig::ENGINE;
use media_cache_test_support::http_client::{http_client, media_path};
use media_cache_test_support::soon::soon;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::origin::Origin;

/// A service inside this process.
pub struct Demo {
    pub address: SocketAddr,
    pub cache: MediaCache,
    stop: watch::Sender<bool>,
    _directory: TempDir,
}

/// How a [`Demo`] is set up.
#[derive(Default)]
pub struct Setup {
    pub tokens: AdminTokens,
    pub shadows: Option<Arc<dyn ShadowReport>>,
    pub policy_check: Option<Arc<dyn PolicyCheck>>,
    pub tier: Option<Arc<dyn SecondTier>>,
}

impl Demo {
    /// Starts a service for administration on a free port.
    pub async fn start(setup: Setup) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), setup).await
    }

    /// Starts a service for administration. An earlier one may still be closing the address.
    pub async fn start_at(address: SocketAddr, setup: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let metrics = Metrics::default();
        let builder = MediaCache::builder().directory(directory.path().join("cache")).engine(ENGINE.clone());
        let builder = builder.downloader(metrics.measured(Arc::new(Origin))).transcoder(NoTranscoder);
        let cache = builder.open().await.unwrap();
        let Setup { tokens, shadows, policy_check, tier } = setup;
        let extras = Extras { metrics, shadows, policy_check, tier, ..Extras::default() };
        let service = Service::new(watch::channel(Some(cache.clone())).1, 1 << 20, extras);
        let bind = async {
            loop {
                match TcpListener::bind(address).await {
                    Err(error) if error.kind() == ErrorKind::AddrInUse => tokio::task::yield_now().await,
                    bound => return bound.unwrap(),
                }
            }
        };
        let listener = soon(bind).await;
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let access = Access { admin_tokens: tokens, listener: Listener::Administration, ..Access::default() };
        tokio::spawn(service.clone().run_dashboard(stopped.clone()));
        tokio::spawn(serve_connections(listener, service.routes(access), ClientLimits::default(), Connections::default(), stopped));
        Self { address, cache, stop, _directory: directory }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests the media of a URL.
    pub async fn request(&self, url: &str) {
        let response = http_client().get(self.url(&media_path(url))).send().await.unwrap();
        response.bytes().await.unwrap();
    }

    /// Stops the service, as on shutdown.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// A tab that shows a dashboard, and what happens in it.
pub struct Page {
    pub tab: Tab,
    pub recording: Recording,
    origin: String,
    _chromium: Arc<Chromium>,
}

impl Page {
    /// Opens the dashboard at an address. `None` if no browser is installed.
    pub async fn open(address: SocketAddr) -> Option<Self> {
        let chromium = Chromium::shared()?;
        let tab = chromium.tab().await;
        let recording = tab.record().await;
        let origin = format!("http://{address}");
        tab.navigate(&format!("{origin}/dashboard")).await;
        Some(Self { tab, recording, origin, _chromium: chromium })
    }

    /// Waits until the page shows figures.
    pub async fn is_live(&self) {
        self.tab.until("document.getElementById('entry-count').textContent !== '–'").await;
        self.tab.until("document.querySelector('#swap-name option')").await;
    }

    /// The text of an element.
    pub async fn text(&self, id: &str) -> String {
        self.tab.evaluate(&format!("document.getElementById('{id}').textContent")).await.as_str().unwrap().to_owned()
    }

    /// Waits until the text of an element contains another.
    pub async fn until_text(&self, id: &str, text: &str) {
        self.tab.until(&format!("document.getElementById('{id}').textContent.includes({})", serde_json::json!(text))).await;
    }

    /// Clicks an element.
    pub async fn click(&self, selector: &str) {
        self.tab.evaluate(&format!("document.querySelector('{selector}').click()")).await;
    }

    /// Asserts that nothing went wrong, and that the page sent requests only to its service.
    #[track_caller]
    pub fn assert_clean(&mut self) {
        let recorded = self.recording.take();
        assert_eq!(recorded.errors, [""; 0]);
        assert!(!recorded.requests.is_empty());
        for url in recorded.requests {
            assert!(url.starts_with(&format!("{}/", self.origin)) || url.starts_with(&format!("blob:{}/", self.origin)), "{url}");
        }
    }
}
