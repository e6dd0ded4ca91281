//! Redirects: each hop is checked as if it had been requested directly.

use std::sync::Arc;

use media_cache::{Downloader, FetchError};
use media_cache_test_support::canary_listener::CanaryListener;
use media_cache_test_support::redirecting_origin::RedirectingOrigin;
use media_cache_test_support::scripted_resolver::ScriptedResolver;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::vectors::all;

/// An address of this machine that is in none of the vectors. Services that must not be reached may listen on the other addresses.
const HERE: &str = "127.99.0.1";
const ONLY_HERE: &str = "127.99.0.1/32";

#[tokio::test]
async fn redirect_to_a_denied_address_is_not_followed() {
    let (mut origin, names) = (RedirectingOrigin::start(HERE).await, Arc::new(ScriptedResolver::default()));
    let downloader = names.downloader(&[ONLY_HERE]);
    let statuses = [301, 302, 303, 307, 308].into_iter().cycle();
    for (vector, status) in all().iter().filter(|vector| !vector.allowed && vector.address().is_some()).zip(statuses) {
        let (url, name) = (vector.url(), format!("{status}.example"));
        let scheme_relative = url.strip_prefix("http:").unwrap();
        names.answers(&name, &[&[vector.text]]);
        let through_another = origin.redirect_to(status, &url);
        for location in [&*url, scheme_relative, &through_another] {
            let hops = if location == through_another { 2 } else { 1 };
            match downloader.fetch(&origin.redirect_to(status, location)).await.map(|_| ()) {
                Err(FetchError::Refused(why)) => {
                    assert!(why.contains("redirected") && !why.contains("secret"), "{location}: {why}")
                }
                other => panic!("{location}: {other:?}"),
            }
            assert_eq!((origin.new_requests(), names.new_lookups()), (hops, vec![]), "{location}");
        }
        match downloader.fetch(&origin.redirect_to(status, &format!("http://{name}/?secret"))).await.map(|_| ()) {
            Err(FetchError::Refused(why)) => assert!(why.contains(&name) && !why.contains("secret"), "{why}"),
            other => panic!("{name} at {}: {other:?}", vector.text),
        }
        assert_eq!((origin.new_requests(), names.new_lookups()), (1, vec![name]), "{}", vector.text);
    }
}

#[tokio::test]
async fn redirect_to_a_refused_url_is_not_followed() {
    let (mut origin, names) = (RedirectingOrigin::start(HERE).await, Arc::new(ScriptedResolver::default()));
    let downloader = names.downloader(&[ONLY_HERE]);
    // Without a host, the target is a path on the same origin.
    let base = Url::parse(&origin.redirect_to(302, "")).unwrap();
    let stays = |text: &str| text.starts_with("//") || base.join(text).is_ok_and(|url| url.host() == base.host());
    let mut tried = 0;
    for vector in all().iter().filter(|vector| !vector.allowed && vector.address().is_none() && !stays(vector.text)) {
        let error = downloader.fetch(&origin.redirect_to(302, vector.text)).await.map(|_| ()).expect_err(vector.text);
        assert!(matches!(error, FetchError::Refused(_) | FetchError::Other(_)), "{}: {error:?}", vector.text);
        assert_eq!((origin.new_requests(), names.new_lookups()), (1, vec![]), "{}", vector.text);
        tried += 1;
    }
    assert!(tried > 100);
}

#[tokio::test]
async fn redirect_to_an_allowed_address_is_followed_in_every_notation() {
    let (mut origin, names) = (RedirectingOrigin::start(HERE).await, Arc::new(ScriptedResolver::default()));
    let downloader = names.downloader(&[ONLY_HERE]);
    let port = origin.port();
    names.answers("here.example", &[&[HERE]]);
    let locations = ["/there", "../there", "/there?x", &format!("//{HERE}:{port}/"), &format!("http://here.example:{port}/")];
    for status in [301, 302, 303, 307, 308] {
        for location in locations {
            let download = downloader.fetch(&origin.redirect_to(status, location)).await.unwrap();
            assert_eq!(download.body.in_memory().unwrap(), "here", "{status} to {location}");
            assert_eq!(origin.new_requests(), 2, "{status} to {location}");
        }
    }
}

#[tokio::test]
async fn dns_rebinding_does_not_reach_a_denied_address() {
    let (mut origin, names) = (RedirectingOrigin::start(HERE).await, Arc::new(ScriptedResolver::default()));
    let port = origin.port();
    let inside = CanaryListener::bind(&format!("127.0.0.1:{port}"));
    let downloader = names.downloader(&[ONLY_HERE]);

    // The name is resolved once, and the connection goes to the address that was checked.
    names.answers("rebinding.example", &[&[HERE], &["127.0.0.1"]]);
    let url = format!("http://rebinding.example:{port}/");
    assert_eq!(downloader.fetch(&url).await.unwrap().body.in_memory().unwrap(), "here");
    assert_eq!((names.new_lookups().len(), origin.new_requests()), (1, 1));
    for _ in 0..3 {
        let error = downloader.fetch(&url).await.map(|_| ()).unwrap_err();
        assert!(matches!(&error, FetchError::Refused(why) if why.starts_with("rebinding.example")), "{error:?}");
    }

    // The same applies if the address of the name changes between two hops.
    names.answers("hops.example", &[&[HERE], &["127.0.0.1"]]);
    let location = utf8_percent_encode("/again", NON_ALPHANUMERIC).to_string();
    let error = downloader.fetch(&format!("http://hops.example:{port}/302/{location}")).await.map(|_| ()).unwrap_err();
    assert!(matches!(&error, FetchError::Refused(why) if why.starts_with("hops.example")), "{error:?}");
    assert_eq!(origin.new_requests(), 1);

    inside.assert_untouched();
}
