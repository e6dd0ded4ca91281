//! A service, a site in front of it, and a tab that visits it.

use std::sync::Arc;

use media_cache_test_support::http_client::media_path;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use serde_json::Value;

use crate::site::Site;
use media_cache_test_support::browser::chromium::Chromium;
use media_cache_test_support::browser::tab::Tab;

/// Everything that a test needs.
pub struct Stage {
    pub tab: Tab,
    pub site: Site,
    pub service: Service,
    _directory: ServiceDirectory,
    _chromium: Arc<Chromium>,
}

impl Stage {
    /// Starts everything. `None` if no browser is installed.
    pub async fn set_up(arguments: &[&str]) -> Option<Self> {
        let chromium = Chromium::shared()?;
        let directory = ServiceDirectory::create();
        let service = directory.serve_with(arguments).await;
        let site = Site::start(&service).await;
        Some(Self { tab: chromium.tab().await, site, service, _directory: directory, _chromium: chromium })
    }

    /// Stores media, and returns its path on the site and on the service.
    pub async fn stores(&self, name: &str, mimetype: &str, body: impl Into<reqwest::Body>) -> String {
        let url = format!("https://media.invalid/{name}");
        let stored = self.service.put(&url, mimetype, body).await;
        assert_eq!(stored.status, 201, "{name}: {}", stored.text());
        media_path(&url)
    }

    /// The URLs of a path, on the same origin as the site's pages and on another one.
    pub fn urls(&self, path: &str) -> [String; 2] {
        [self.site.url(path), self.site.foreign_url(path)]
    }

    /// Runs an asynchronous function in an empty page of the site, with the URL as `media`. Returns its result, or the name of the
    /// exception that it throws.
    pub async fn evaluate(&self, function: &str, media: &str) -> Value {
        self.tab.navigate(&self.site.url("/page")).await;
        let caught = "catch (error) { return error.name }";
        self.tab.evaluate(&format!("(async media => {{ try {{ {function} }} {caught} }})('{media}')")).await
    }
}
