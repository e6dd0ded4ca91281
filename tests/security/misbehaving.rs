//! Origins that misbehave, each in a different way: the response says what is wrong, nothing is stored, the origin is not contacted for a
//! while, and everything works once the origin behaves.

use futures::StreamExt;
use http::Method;
use media_cache_test_support::raw_origin::{RawOrigin, Step, send_response};
use media_cache_test_support::self_signed_origin::SelfSignedOrigin;
use media_cache_test_support::service_directory::ServiceDirectory;
use media_cache_test_support::service_process::Service;
use media_cache_test_support::soon::soon;
use media_cache_test_support::workspace::workspace_file;

use crate::behaviours::{Behaviour, all, remembered};

/// Short limits, so that these tests finish quickly.
const LIMITS: [&str; 8] = [
    "--max-body-mb=1",
    "--first-byte-seconds=5",
    "--pause-seconds=2",
    "--min-rate-seconds=4",
    "--min-rate=512",
    "--max-redirects=5",
    "--max-url-bytes=8192",
    "--max-origin-header-kb=64",
];

/// Valid media.
const GOOD: &[u8] = b"GIF89a\x01\0\x01\0 and so on";

/// How many behaviours are tested concurrently.
const AT_ONCE: usize = 6;

/// The path at which the origin shows the behaviour with this number.
fn path(index: usize) -> String {
    format!("/{index}.gif")
}

fn good() -> [Step; 1] {
    [send_response("200 OK", "Content-Type: image/x-good\r\n", GOOD)]
}

/// Requests media from an origin that misbehaves like this, and returns the explanation.
async fn trouble(service: &Service, url: &str, behaviour: &Behaviour) -> String {
    let told = service.media(url).await;
    assert_eq!((told.status, told.code().as_str()), (behaviour.status, behaviour.code), "{}: {}", behaviour.name, told.text());
    let words = told.problem(behaviour.status);
    assert!(words.contains(behaviour.words), "{}: {words}", behaviour.name);
    assert!(!words.contains("secret"), "{}: {words}", behaviour.name);
    words
}

#[tokio::test]
async fn every_origin_misbehaviour_results_in_a_problem_code_and_nothing_is_stored() {
    let (origin, dir) = (RawOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&LIMITS).await;
    let behaviours = all();
    let check = async |(index, behaviour): (usize, &Behaviour)| {
        let path = path(index);
        let url = origin.follows(&path, &behaviour.script);
        let response = soon(service.media_request(Method::GET, &url).send()).await.unwrap();
        match response.status().as_u16() {
            // The response may have begun before the body turns out to be too large, and then ends early.
            200 => assert!(behaviour.code == "too-large" && soon(response.bytes()).await.is_err(), "{}", behaviour.name),
            status => assert_eq!(status, behaviour.status, "{}", behaviour.name),
        }
        assert!(!dir.holds(&url), "{}", behaviour.name);

        // The failure is remembered, and the origin is not contacted.
        let asked = origin.requests(&path);
        assert!(asked > 0, "{}", behaviour.name);
        trouble(&service, &url, behaviour).await;
        assert_eq!(origin.requests(&path), asked, "{}", behaviour.name);

        // Once the failure is forgotten and the origin behaves, everything works.
        origin.follows(&path, &good());
        service.delete(&url).await.problem(404);
        assert_eq!(service.media(&url).await.is("miss").body, GOOD, "{}", behaviour.name);
        assert_eq!(service.media(&url).await.is("hit").body, GOOD, "{}", behaviour.name);
    };
    futures::stream::iter(behaviours.iter().enumerate()).map(check).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let stats = service.stats().await;
    assert_eq!(stats["media_cache"]["total_entries"], behaviours.len(), "{stats}");
}

#[tokio::test]
async fn extra_bytes_after_a_response_never_answer_another_request_if_connections_are_not_reused() {
    let (origin, dir) = (RawOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve_with(&["--reuse-origin-connections", "never"]).await;
    let [Step::Send(good_answer)] = good() else { panic!("the response is not in one piece") };
    let evil = send_response("200 OK", "Content-Type: image/x-evil\r\n", b"evil");
    // The timing of the additional response may change the result of the request that it follows, but of no other request.
    let at_once = origin.follows("/at-once.gif", &[Step::Send(good_answer.clone()), evil.clone()]);
    let later = origin.follows("/later.gif", &[Step::Send(good_answer), Step::Pause, evil]);
    let after = |index: usize| origin.follows(&format!("/after-{index}.gif"), &good());
    service.media(&at_once).await;
    assert_eq!(service.media(&after(1)).await.is("miss").body, GOOD);
    service.media(&later).await;
    for index in 2..10 {
        assert_eq!(service.media(&after(index)).await.is("miss").body, GOOD);
    }
}

/// An origin whose certificate is invalid.
fn without_proof() -> Behaviour {
    let name = "has an invalid certificate";
    Behaviour { name, script: Vec::new(), status: 502, code: "unreachable", words: "certificate" }
}

#[tokio::test]
async fn no_request_is_sent_to_an_origin_with_a_self_signed_certificate() {
    let (origin, dir) = (SelfSignedOrigin::start().await, ServiceDirectory::create());
    let service = dir.serve().await;
    let url = format!("https://{}/photo.gif?secret", origin.address());
    trouble(&service, &url, &without_proof()).await;
    assert!(!dir.holds(&url));
}

#[test]
fn documented_table_lists_exactly_these_behaviours() {
    let docs = workspace_file("docs/downloads.md");
    let table = docs.split("## Origins that misbehave").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let expected: Vec<String> = all().iter().chain([&without_proof()]).map(Behaviour::line).collect();
    assert_eq!(documented, expected, "the table must be:\n{}", expected.join("\n"));
    assert!(all().iter().all(|behaviour| !remembered(behaviour.code).is_empty()));
}
