//! Cached media is never executed, whether it comes from the page's origin or another, with and without fetch metadata. As a control, the
//! same media is executed when a server without any restrictions serves it.

use std::time::Duration;

use futures::future::join_all;
use media_cache_test_support::http_client::media_path;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;

use crate::site::Site;
use crate::ways::{LIBRARY, Runs, WAYS, Way};
use media_cache_test_support::browser::chromium::Chromium;
use media_cache_test_support::browser::tab::Tab;

/// The content security policy of a page whose media has the same origin: scripts from that origin may run, but no inline scripts.
const POLICY: &str = "script-src 'self' 'wasm-unsafe-eval' 'nonce-page' blob:; worker-src 'self' blob:; object-src 'self'";

/// How long a browser may spend on a page.
const LIMIT: Duration = Duration::from_secs(30);

/// The pages and media for one pass through all ways.
struct Setting<'a> {
    name: &'static str,
    site: &'a Site,
    media: Media<'a>,
    /// Whether the media's origin differs from that of the pages.
    is_foreign: bool,
}

/// Where media comes from.
enum Media<'a> {
    /// The service behind the site.
    Cached(&'a Service),
    /// The site itself, as plain files.
    Plain,
}

impl Setting<'_> {
    /// Whether the browser executes the media of a way.
    async fn runs(&self, tab: &Tab, way: &Way, number: usize) -> bool {
        let key = format!("{}/{number}", self.name);
        let beacon = self.site.url(&format!("/ran/{key}"));
        let Some(path) = self.place(way, &key, (way.payload)(&beacon)).await else { return false };
        let media = if self.is_foreign { self.site.foreign_url(&path) } else { self.site.url(&path) };
        tab.navigate(&self.page(way, &media)).await;
        let expression = format!(
            "(async (media, beacon) => {{ {LIBRARY} let ran; try {{ ran = await (async () => {{ {} }})() }} catch {{}}
             return Boolean(ran || globalThis.ran) }})('{media}', '{beacon}')",
            way.page
        );
        let told = timeout(LIMIT, tab.evaluate_or_download(&expression, &media)).await;
        let told = told.unwrap_or_else(|_| panic!("{}: the browser did not finish with {}", self.name, way.name));
        told.is_some_and(|ran| ran == true) || self.site.ran(&key)
    }

    /// Serves the media of a way, and returns its path on the site. `None` if the browser would not execute it from any server.
    async fn place(&self, way: &Way, key: &str, body: Vec<u8>) -> Option<String> {
        match (&self.media, way.runs) {
            (Media::Cached(service), _) => {
                let url = format!("https://media.invalid/{key}");
                let stored = service.put(&url, way.mimetype, body).await;
                assert_eq!(stored.status, 201, "{}: {}", way.name, stored.text());
                Some(media_path(&url))
            }
            (Media::Plain, Runs::Nowhere) => None,
            (Media::Plain, Runs::SameOrigin(mimetype) | Runs::Anywhere(mimetype)) => Some(self.site.serves(key, mimetype, body)),
        }
    }

    /// The URL of the page, with the headers for a way.
    fn page(&self, way: &Way, media: &str) -> String {
        let parameter = |name: &str, value: &str| format!("{name}={}&", utf8_percent_encode(value, NON_ALPHANUMERIC));
        let policy = if self.is_foreign { String::new() } else { parameter("content-security-policy", POLICY) };
        let header = way.header.map(|(name, value)| parameter(name, &value.replace("MEDIA", media)));
        self.site.url(&format!("/page?{policy}{}", header.unwrap_or_default()))
    }

    /// The ways in which the browser executes media.
    async fn pass(&self, tab: Tab) -> Vec<&'static Way> {
        let mut run = Vec::new();
        for (number, way) in WAYS.iter().enumerate() {
            if self.runs(&tab, way, number).await {
                run.push(way);
            }
        }
        // A service worker that came from the media would still be registered.
        tab.navigate(&self.site.url("/page")).await;
        let workers = tab.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)").await;
        assert_eq!(workers, 0, "{}", self.name);
        run
    }
}

/// The names of ways.
fn names<'a>(ways: impl IntoIterator<Item = &'a Way>) -> Vec<&'static str> {
    ways.into_iter().map(|way| way.name).collect()
}

#[tokio::test]
async fn cached_media_is_never_executed() {
    let Some(chromium) = Chromium::shared() else { return };
    let dir = ServiceDirectory::create();
    // Pages from other origins can load modules only if they may read media.
    let service = dir.serve_with(&["--allow-origin", "*"]).await;
    let (site, older) = (Site::start(&service).await, Site::start_without_fetch_metadata(&service).await);
    let media = || Media::Cached(&service);
    let settings = [
        Setting { name: "same-origin", site: &site, media: media(), is_foreign: false },
        Setting { name: "same-origin-in-an-older-browser", site: &older, media: media(), is_foreign: false },
        Setting { name: "foreign-in-an-older-browser", site: &older, media: media(), is_foreign: true },
    ];
    let passes = settings.iter().map(|setting| async { setting.pass(chromium.tab().await).await });
    for (setting, run) in settings.iter().zip(join_all(passes).await) {
        let is_older = std::ptr::eq(setting.site, &older);
        let expected = WAYS.iter().filter(|way| is_older && !setting.is_foreign && way.needs_fetch_metadata);
        assert_eq!(names(run), names(expected), "{}", setting.name);
    }
}

#[tokio::test]
async fn same_media_is_executed_when_served_without_restrictions() {
    let Some(chromium) = Chromium::shared() else { return };
    let dir = ServiceDirectory::create();
    let site = Site::start(&dir.serve().await).await;
    let settings = [false, true].map(|is_foreign| Setting {
        name: if is_foreign { "foreign" } else { "same-origin" },
        site: &site,
        media: Media::Plain,
        is_foreign,
    });
    let passes = settings.iter().map(|setting| async { setting.pass(chromium.tab().await).await });
    for (setting, run) in settings.iter().zip(join_all(passes).await) {
        let expected = WAYS.iter().filter(|way| match way.runs {
            Runs::Nowhere => false,
            Runs::SameOrigin(_) => !setting.is_foreign,
            Runs::Anywhere(_) => true,
        });
        assert_eq!(names(run), names(expected), "{}", setting.name);
    }
}
