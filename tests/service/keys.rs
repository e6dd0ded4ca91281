//! URLs of the same media are one entry, in the service and on the command line.

use http::Method;

use crate::client::Answer;
use crate::files::png;
use crate::origin::{Origin, Page};
use crate::place::{Place, sha256};

/// The rule that the tests go by: what is behind a URL of the origin does not depend on these.
const RULE: [&str; 2] = ["--key-rules", "127.0.0.1:sig+expires,fragments"];

#[tokio::test]
async fn media_that_is_signed_anew_is_a_hit_and_what_is_fetched_is_the_url_as_it_was_given() {
    let (origin, place) = (Origin::start().await, Place::new());
    let trace = place.outside("trace.csv");
    let service = place.serve_with(&[&RULE[..], &["--record-trace", trace.to_str().unwrap()]].concat()).await;
    let signed = origin.serves("/a.png?sig=1&size=5&expires=2", "image/png", png(1));
    let key = origin.url("/a.png?size=5");
    service.media(&signed).await.is("miss");
    for again in [origin.url("/a.png?sig=7&size=5"), key.clone(), origin.url("/a.png?size=5&expires=9&sig=8#top")] {
        assert_eq!(service.media(&again).await.is("hit").body, png(1));
    }
    assert!(place.holds(&key) && !place.holds(&signed));
    assert_eq!(place.sidecar(&key)["url"], key.as_str());

    let put = service.put(&origin.url("/a.png?sig=3&size=5"), "image/png", png(2)).await;
    let stored = put.json();
    assert_eq!(
        (put.status, &stored["url"], &stored["known"]),
        (200, &key.as_str().into(), &true.into()),
        "what it is stored under"
    );
    assert_eq!(service.delete(&origin.url("/a.png?size=5&sig=4")).await.status, 204);
    assert!(!place.holds(&key));
    service.stop().await;
    let trace = std::fs::read_to_string(trace).unwrap();
    let keys: Vec<_> = trace.lines().map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(keys, [&sha256(key.as_bytes())[..16]; 4], "a trace knows them by the key as well");
    assert_eq!(origin.asked_in_all(), 1);
}

#[tokio::test]
async fn a_signature_that_is_refused_keeps_nobody_from_the_media() {
    let (origin, place) = (Origin::start().await, Place::new());
    let service = place.serve_with(&RULE).await;
    let forged = origin.answers("/a.png?sig=forged", Page::status(404));
    let signed = origin.serves("/a.png?sig=1", "image/png", png(1));
    service.media(&forged).await.problem(404);
    service.media(&signed).await.is("miss");
    service.media(&forged).await.is("hit");
    assert_eq!(origin.asked_in_all(), 2);
}

#[tokio::test]
async fn the_commands_know_an_entry_by_its_key() {
    let (origin, place) = (Origin::start().await, Place::new());
    let signed = origin.serves("/a.png?sig=1", "image/png", png(1));
    let again = origin.url("/a.png?sig=2");
    place.run(&[&["get", &signed, "-o", "-"], &RULE[..]].concat()).await.succeeded();
    let got = place.run(&[&["get", &again, "-o", "-"], &RULE[..]].concat()).await;
    assert!(got.stderr.contains("from the cache"), "{}", got.stderr);
    assert_eq!(got.succeeded(), png(1));
    assert_eq!(place.order().await, [origin.url("/a.png")]);
    let file = place.file("b.png", &png(2));
    let put = place.run(&[&["put", &again, file.to_str().unwrap()], &RULE[..]].concat()).await.said();
    assert!(put.starts_with("kept what was stored before"), "{put}");
    place.run(&["rm", &again]).await.complained();
    place.run(&[&["rm", &again], &RULE[..]].concat()).await.succeeded();
    assert_eq!(place.order().await, [""; 0]);
}

#[tokio::test]
async fn a_rule_that_cannot_be_one_is_named_with_what_would_be_right() {
    let place = Place::new();
    for command in ["serve", "ls"] {
        for (rule, words) in [
            (
                "dicord",
                "there is no key rule `dicord`; there are `discord`, `fragments`, `host-case`, and rules of your own such as",
            ),
            ("https://x.org:sig", "`https://x.org:sig` in a key rule is no host; write `cdn.example.org`"),
            ("x.org:sig=1", "`sig=1` in the key rule for x.org is no name of a parameter; write names as they stand in the URL"),
        ] {
            let finished = place.run(&[command, "--key-rules", rule]).await;
            assert_eq!(finished.code, Some(2), "{finished:?}");
            assert!(finished.stderr.contains(words) && finished.stderr.contains("--key-rules"), "{}", finished.stderr);
        }
    }
}

#[tokio::test]
async fn failures_are_remembered_for_as_long_as_is_said() {
    let (origin, place) = (Origin::start().await, Place::new());
    let service = place.serve_with(&["--failure-memory", "all=0,not-found=600", "--max-retry-after-seconds", "20"]).await;
    let (missing, gone) = (origin.answers("/missing", Page::status(404)), origin.answers("/gone", Page::status(410)));
    for _ in 0..3 {
        service.media(&missing).await.problem(404);
        service.media(&gone).await.problem(410);
    }
    assert_eq!((origin.asked("/missing"), origin.asked("/gone")), (1, 3));
    let busy = origin.answers("/busy", Page::status(503).with("retry-after", "3600"));
    let answer = Answer::to(service.about(Method::GET, &busy)).await;
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), "20", "no longer than was said");
}
