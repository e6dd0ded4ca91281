//! Addresses and URLs that must be refused, and some that must not be. They are tested against the rules, and with a downloader whose
//! connection attempts would be detected.

use std::net::IpAddr;
use std::sync::Arc;

use media_cache::{Downloader, FetchError};
use media_cache_http_downloader::{AccessRules, special_use};
use media_cache_test_support::scripted_resolver::ScriptedResolver;
use tokio::runtime::Builder;
use url::Url;

const SAMPLE: &str = include_str!("../data/addresses.tsv");
const MORE: &str = include_str!("../data/more-addresses.tsv");

/// URLs that are never fetched and that cannot be written on one line of a table.
const CONTROLS: [&str; 8] = [
    "http://127.0.0.1\t/",
    "http://exam\tple.com/",
    "http://exam\r\nple.com/",
    "ht\ntp://example.com/",
    "http:/\t/example.com/",
    "http://example.com\n@127.0.0.1/",
    "http://example.com:8\t0/",
    "http://example.com/\r\nHost: 127.0.0.1",
];

/// An address or a URL, and whether it must be allowed.
pub struct Vector {
    pub text: &'static str,
    pub allowed: bool,
    pub why: &'static str,
}

impl Vector {
    pub fn address(&self) -> Option<IpAddr> {
        self.text.parse().ok()
    }

    /// The URL, or a URL with the address as its host.
    pub fn url(&self) -> String {
        match self.address() {
            Some(IpAddr::V4(address)) => format!("http://{address}/a.png?secret"),
            Some(IpAddr::V6(address)) => format!("http://[{address}]/a.png?secret"),
            None => self.text.to_owned(),
        }
    }
}

/// All vectors.
pub fn all() -> Vec<Vector> {
    let read = |line: &'static str| {
        let [text, verdict, why] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(["allow", "deny"].contains(&verdict), "{line}");
        Vector { text, allowed: verdict == "allow", why }
    };
    let vectors: Vec<_> = SAMPLE.lines().chain(MORE.lines()).map(read).collect();
    assert!(MORE.lines().count() > SAMPLE.lines().count());
    vectors
}

/// Runs a future without any way to wait for sockets: no connection can succeed, and an attempt ends in a panic or in a distinctive error.
pub fn without_sockets<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn is_refusal(error: &FetchError) -> bool {
    matches!(error, FetchError::Refused(_) | FetchError::InvalidUrl(_))
}

#[test]
fn every_address_vector_is_classified_as_listed() {
    for vector in all() {
        if let Some(address) = vector.address() {
            assert_eq!(AccessRules::default().check_address(address).is_ok(), vector.allowed, "{address}: {}", vector.why);
            assert_eq!(special_use(address).is_none(), vector.allowed, "{address}: {}", vector.why);
        }
    }
}

#[test]
fn urls_of_public_vectors_are_allowed() {
    for vector in all().iter().filter(|vector| vector.allowed) {
        let url = Url::parse(&vector.url()).unwrap();
        assert_eq!(AccessRules::default().check_url(&url), Ok(()), "{}: {}", vector.text, vector.why);
    }
}

#[test]
fn denied_urls_cause_neither_a_lookup_nor_a_connection() {
    let names = Arc::new(ScriptedResolver::default());
    let downloader = names.downloader(&[]);
    let denied: Vec<_> = all().into_iter().filter(|vector| !vector.allowed).map(|vector| vector.url()).collect();
    without_sockets(async {
        for url in denied.iter().map(String::as_str).chain(CONTROLS) {
            let error = downloader.fetch(url).await.map(|_| ()).expect_err(url);
            assert!(is_refusal(&error), "{url}: {error:?}");
            assert!(!error.to_string().contains("secret"), "{url}: {error}");
        }
    });
    assert_eq!(names.new_lookups(), [""; 0]);
}

#[test]
fn name_with_a_denied_address_among_others_is_refused_without_a_connection() {
    let names = Arc::new(ScriptedResolver::default());
    let downloader = names.downloader(&[]);
    let denied: Vec<_> = all().into_iter().filter(|vector| !vector.allowed).filter_map(|vector| vector.address()).collect();
    assert!(denied.len() > 100);
    without_sockets(async {
        for (index, address) in denied.iter().map(ToString::to_string).enumerate() {
            let public = ["8.8.8.8", "2001:4860:4860::8888"];
            let mixtures = [&[&*address][..], &[&*address, public[0]], &[public[0], public[1], &*address]];
            for (mixture, answer) in mixtures.into_iter().enumerate() {
                let name = format!("{index}-{mixture}.example");
                names.answers(&name, &[answer]);
                match downloader.fetch(&format!("http://{name}/?secret")).await.map(|_| ()) {
                    // The caller does not learn the address.
                    Err(FetchError::Refused(why)) => assert!(why.starts_with(&name) && !why.contains("secret"), "{address}: {why}"),
                    other => panic!("{answer:?}: {other:?}"),
                }
                assert_eq!(names.new_lookups(), [name]);
            }
        }
    });
}

#[test]
fn allowed_names_are_resolved() {
    let names = Arc::new(ScriptedResolver::default());
    let downloader = names.downloader(&[]);
    let mut looked_up = 0;
    without_sockets(async {
        for vector in all().iter().filter(|vector| vector.allowed && vector.address().is_none()) {
            let url = Url::parse(vector.text).unwrap();
            let Some(name) = url.domain() else { continue };
            let error = downloader.fetch(vector.text).await.map(|_| ()).unwrap_err();
            assert!(matches!(error, FetchError::Unreachable(_)), "{}: {error:?}", vector.text);
            assert_eq!(names.new_lookups(), [name], "{}", vector.text);
            looked_up += 1;
        }
    });
    assert!(looked_up > 10);
}

#[test]
fn sandbox_without_sockets_detects_a_connection_attempt() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let names = Arc::new(ScriptedResolver::default());
    names.answers("inside.example", &[&["127.0.0.1"]]);
    for host in ["127.0.0.1", "inside.example"] {
        let downloader = names.downloader(&["127.0.0.0/8"]);
        let url = format!("http://{host}:{}/", listener.local_addr().unwrap().port());
        let attempt = without_sockets(async { tokio::spawn(async move { downloader.fetch(&url).await.map(|_| ()) }).await });
        assert!(!matches!(&attempt, Ok(Err(error)) if is_refusal(error)), "{attempt:?}");
        assert!(!matches!(attempt, Ok(Ok(()))));
    }
}
