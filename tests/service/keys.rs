//! URLs for the same media share an entry, in the service and on the command line.

use http::Method;
use media_cache_test_support::http_client::send;
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::images::png;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::sha256::sha256;

/// The rule for these tests: the media at a URL of the origin does not depend on these parameters.
const RULE: [&str; 2] = ["--key-rules", "127.0.0.1:sig+expires,fragments"];

#[tokio::test]
async fn url_with_a_new_signature_is_a_hit_and_fetches_use_the_given_url() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let trace = dir.path("trace.csv");
    let service = dir.serve_with(&[&RULE[..], &["--record-trace", trace.to_str().unwrap()]].concat()).await;
    let signed = origin.serves("/a.png?sig=1&size=5&expires=2", "image/png", png(1));
    let key = origin.url("/a.png?size=5");
    service.media(&signed).await.is("miss");
    for again in [origin.url("/a.png?sig=7&size=5"), key.clone(), origin.url("/a.png?size=5&expires=9&sig=8#top")] {
        assert_eq!(service.media(&again).await.is("hit").body, png(1));
    }
    assert!(dir.holds(&key) && !dir.holds(&signed));
    assert_eq!(dir.sidecar(&key)["url"], key.as_str());

    let put = service.put(&origin.url("/a.png?sig=3&size=5"), "image/png", png(2)).await;
    let stored = put.json();
    assert_eq!(
        (put.status, &stored["url"], &stored["known"]),
        (200, &key.as_str().into(), &true.into()),
        "the URL under which it is stored"
    );
    assert_eq!(service.delete(&origin.url("/a.png?size=5&sig=4")).await.status, 204);
    assert!(!dir.holds(&key));
    service.stop().await;
    let trace = std::fs::read_to_string(trace).unwrap();
    let keys: Vec<_> = trace.lines().map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(keys, [&sha256(key.as_bytes())[..16]; 4], "a trace also identifies them by the cache key");
    assert_eq!(origin.total_requests(), 1);
}

#[tokio::test]
async fn url_with_a_refused_signature_does_not_block_other_urls_with_its_cache_key() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&RULE).await;
    let forged = origin.answers("/a.png?sig=forged", Page::status(404));
    let signed = origin.serves("/a.png?sig=1", "image/png", png(1));
    service.media(&forged).await.problem(404);
    service.media(&signed).await.is("miss");
    service.media(&forged).await.is("hit");
    assert_eq!(origin.total_requests(), 2);
}

#[tokio::test]
async fn commands_find_an_entry_by_its_cache_key() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let signed = origin.serves("/a.png?sig=1", "image/png", png(1));
    let again = origin.url("/a.png?sig=2");
    dir.run(&[&["get", &signed, "-o", "-"], &RULE[..]].concat()).await.succeeded();
    let got = dir.run(&[&["get", &again, "-o", "-"], &RULE[..]].concat()).await;
    assert!(got.stderr.contains("from the cache"), "{}", got.stderr);
    assert_eq!(got.succeeded(), png(1));
    assert_eq!(dir.order().await, [origin.url("/a.png")]);
    let file = dir.write("b.png", &png(2));
    let put = dir.run(&[&["put", &again, file.to_str().unwrap()], &RULE[..]].concat()).await.succeeded_text();
    assert!(put.starts_with("kept the existing entry"), "{put}");
    dir.run(&["rm", &again]).await.failed();
    dir.run(&[&["rm", &again], &RULE[..]].concat()).await.succeeded();
    assert_eq!(dir.order().await, [""; 0]);
}

#[tokio::test]
async fn invalid_key_rule_is_reported_with_the_valid_forms() {
    let dir = ServiceDirectory::create();
    for command in ["serve", "ls"] {
        for (rule, words) in [
            ("dicord", "unknown key rule `dicord`; use `discord`, `fragments`, `host-case`, or your own rule, such as"),
            ("https://x.org:sig", "`https://x.org:sig` in a key rule is not a host; write `cdn.example.org`"),
            ("x.org:sig=1", "`sig=1` in the key rule for x.org is not a parameter name; write names as they appear in the URL"),
        ] {
            let finished = dir.run(&[command, "--key-rules", rule]).await;
            assert_eq!(finished.code, Some(2), "{finished:?}");
            assert!(finished.stderr.contains(words) && finished.stderr.contains("--key-rules"), "{}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn failure_memory_option_sets_how_long_failures_are_remembered() {
    let (origin, dir) = (HttpOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--failure-memory", "all=0,not-found=600", "--max-retry-after-seconds", "20"]).await;
    let (missing, gone) = (origin.answers("/missing", Page::status(404)), origin.answers("/gone", Page::status(410)));
    for _ in 0..3 {
        service.media(&missing).await.problem(404);
        service.media(&gone).await.problem(410);
    }
    assert_eq!((origin.requests("/missing"), origin.requests("/gone")), (1, 3));
    let busy = origin.answers("/busy", Page::status(503).with_header("retry-after", "3600"));
    let answer = send(service.media_request(Method::GET, &busy)).await;
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), "20", "no longer than configured");
}
