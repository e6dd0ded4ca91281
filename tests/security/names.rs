//! How a downloader applies the rules about hosts, ports and addresses.

use std::sync::Arc;

use media_cache::{Downloader, FetchError};
use media_cache_http_downloader::{AccessRules, HttpDownloader, HttpOptions};
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::scripted_resolver::ScriptedResolver;

struct Asked {
    downloader: HttpDownloader,
    names: Arc<ScriptedResolver>,
}

impl Asked {
    fn with(access: AccessRules) -> Self {
        let names = Arc::new(ScriptedResolver::default());
        let options = HttpOptions { access, resolver: names.clone(), ..HttpOptions::default() };
        Self { downloader: HttpDownloader::new(options).unwrap(), names }
    }

    async fn is_refused(&self, url: &str, because: &str) {
        match self.downloader.fetch(url).await.map(|_| ()) {
            Err(FetchError::Refused(why)) => assert!(why.contains(because), "{url}: {why}"),
            other => panic!("{url}: {other:?}"),
        }
    }

    async fn is_fetched(&self, url: &str) {
        self.downloader.fetch(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

fn loopback() -> AccessRules {
    AccessRules { allow_addresses: vec!["127.0.0.0/8".parse().unwrap()], ..AccessRules::default() }
}

#[tokio::test]
async fn host_rules_apply_to_normalised_names_before_resolution() {
    let origin = HttpOrigin::start().await;
    let port = origin.port();
    origin.serves("/a.png", "image/png", b"png".to_vec());
    let allow_hosts = vec!["*.good.example".parse().unwrap(), "127.0.0.1".parse().unwrap()];
    let asked = Asked::with(AccessRules { allow_hosts, deny_hosts: vec!["not.good.example".parse().unwrap()], ..loopback() });
    for name in ["a.good.example", "b.a.good.example", "not.good.example", "good.example", "elsewhere.example"] {
        asked.names.answers(name, &[&["127.0.0.1"]]);
    }
    for name in ["a.good.example", "A.GOOD.example", "b.a.good.example", "127.0.0.1"] {
        asked.is_fetched(&format!("http://{name}:{port}/a.png")).await;
    }
    asked.names.new_lookups();
    asked.is_refused(&format!("http://not.good.example:{port}/a.png"), "are denied by the access rules").await;
    asked.is_refused(&format!("http://NOT.good.example.:{port}/a.png"), "are denied by the access rules").await;
    asked.is_refused(&format!("http://good.example:{port}/a.png"), "not among the allowed hosts").await;
    asked.is_refused(&format!("http://elsewhere.example:{port}/a.png"), "not among the allowed hosts").await;
    assert_eq!(asked.names.new_lookups(), [""; 0]);
}

#[tokio::test]
async fn port_rules_also_apply_to_allowed_addresses() {
    let origin = HttpOrigin::start().await;
    let url = origin.serves("/a.png", "image/png", b"png".to_vec());
    let port = origin.port();
    Asked::with(AccessRules { allow_ports: vec![port], ..loopback() }).is_fetched(&url).await;
    Asked::with(AccessRules { allow_ports: vec![80], ..loopback() }).is_refused(&url, "not among the allowed ports").await;
    Asked::with(AccessRules { deny_ports: vec![port], ..loopback() }).is_refused(&url, "are denied by the access rules").await;
    Asked::with(loopback()).is_refused("http://127.0.0.1:25/", "another protocol").await;
}

#[tokio::test]
async fn localhost_names_lead_to_loopback_without_using_the_resolver() {
    let origin = HttpOrigin::start().await;
    origin.serves("/a.png", "image/png", b"png".to_vec());
    let url = |name: &str| origin.url("/a.png").replace("127.0.0.1", name);
    let asked = Asked::with(loopback());
    for name in ["localhost", "LOCALHOST.", "a.localhost"] {
        asked.is_fetched(&url(name)).await;
        Asked::with(AccessRules::default()).is_refused(&url(name), "localhost has an address that is not public").await;
    }
    assert_eq!(asked.names.new_lookups(), [""; 0]);
}

#[tokio::test]
async fn ipv4_mapped_address_is_allowed_if_its_ipv4_address_is_allowed() {
    let origin = HttpOrigin::start().await;
    origin.serves("/a.png", "image/png", b"png".to_vec());
    let url = origin.url("/a.png").replace("127.0.0.1", "mapped.example");
    for (rules, fetched) in [(loopback(), true), (AccessRules::default(), false)] {
        let asked = Asked::with(rules);
        asked.names.answers("mapped.example", &[&["::ffff:127.0.0.1"]]);
        if fetched {
            asked.is_fetched(&url).await;
        } else {
            asked.is_refused(&url, "IPv4-mapped").await;
        }
    }
}
