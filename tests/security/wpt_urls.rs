//! The URLs of the web-platform-tests, valid and invalid. None of them causes a server error, or a connection to an address that is not
//! public.

use std::sync::Arc;

use futures::StreamExt;
use media_cache::{Downloader, FetchError};
use media_cache_http_downloader::special_use;
use media_cache_test_support::http_client::media_path;
use media_cache_test_support::scripted_resolver::ScriptedResolver;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{Host, Url};

use crate::vectors::without_sockets;

/// The number of concurrent requests.
const CONCURRENCY: usize = 8;

/// The characters that a request target cannot contain. Some clients encode only these.
const UNSENDABLE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'#').add(b'`').add(b'{').add(b'}');

fn urls() -> Vec<String> {
    let urls: Vec<String> = serde_json::from_str(include_str!("../data/wpt-urls.json")).unwrap();
    assert!(urls.len() > 2000);
    urls
}

/// Whether a URL contains a public address.
fn public_address(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => special_use(address.into()).is_none(),
        Some(Host::Ipv6(address)) => special_use(address.into()).is_none(),
        Some(Host::Domain(_)) | None => false,
    }
}

#[tokio::test]
async fn no_url_causes_a_server_error() {
    let dir = ServiceDirectory::create();
    // This service neither resolves names nor connects.
    let service = Service::start_in(&dir.path(""), &[], &["--listen", "127.0.0.1:0", "--allow-host", "no-such-host.invalid"]).await;
    let careless = |url: &String| format!("/media?url={}", utf8_percent_encode(url, UNSENDABLE));
    let paths: Vec<String> = urls().iter().flat_map(|url| [media_path(url), careless(url)]).collect();
    let answers = futures::stream::iter(&paths).map(async |path: &String| (path, service.get(path).await));
    let (mut refused, mut answers) = (0, answers.buffer_unordered(CONCURRENCY));
    while let Some((path, answer)) = answers.next().await {
        assert!([400, 403].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        answer.problem(answer.status);
        refused += usize::from(answer.status == 403);
    }
    assert!(refused > 500, "most of these URLs are valid, but only {refused} were refused because of their hosts");
    assert!(!service.log().iter().any(|line| line.contains("panicked")), "{:?}", service.log());
    drop(answers);
    service.stop().await;
}

#[test]
fn no_url_leads_to_a_connection_if_all_names_resolve_to_private_addresses() {
    let names = Arc::new(ScriptedResolver::default());
    names.answers_otherwise(&["127.0.0.1"]);
    let downloader = names.downloader(&[]);
    let (mut refused, mut public) = (0, 0);
    without_sockets(async {
        for url in urls() {
            if public_address(&url) {
                public += 1;
                continue;
            }
            match downloader.fetch(&url).await.map(|_| ()) {
                Err(FetchError::Refused(_)) => refused += 1,
                Err(FetchError::InvalidUrl(_)) => {}
                other => panic!("{url:?}: {other:?}"),
            }
        }
    });
    assert!(refused > 300 && public < 50, "{refused} refused, {public} not tried");
    assert!(names.new_lookups().len() > 100);
}
