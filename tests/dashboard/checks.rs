//! `POST /policy/check`: one check at a time, off the serving threads, and abandoned with its client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use media_cache::policy::PolicyEngine;
use media_cache::{PolicyChoice, embedded};
use media_cache_server::{CheckOutcome, CheckResult, PolicyCheck};
use media_cache_test_support::http_client::{HttpResponse, http_client, send};
use media_cache_test_support::soon::eventually;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::stage::{Demo, Setup};

/// Each check has the next of these results. It waits until there is one, or until it is cancelled.
struct Scripted {
    results: Mutex<mpsc::Receiver<CheckOutcome>>,
    begun: AtomicBool,
    cancelled: AtomicBool,
}

impl PolicyCheck for Scripted {
    fn check(&self, _engine: &PolicyEngine, _policy: &PolicyChoice, is_cancelled: Arc<AtomicBool>) -> Vec<CheckResult> {
        self.begun.store(true, Ordering::SeqCst);
        let results = self.results.lock().unwrap();
        loop {
            match results.try_recv() {
                Ok(outcome) => return vec![CheckResult { check: "it is good".into(), outcome, detail: "tried".into() }],
                Err(_) if is_cancelled.load(Ordering::SeqCst) => {
                    self.cancelled.store(true, Ordering::SeqCst);
                    return Vec::new();
                }
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

async fn scripted() -> (Demo, Arc<Scripted>, mpsc::Sender<CheckOutcome>) {
    let (sender, results) = mpsc::channel();
    let check = Arc::new(Scripted { results: Mutex::new(results), begun: false.into(), cancelled: false.into() });
    let demo = Demo::start(Setup { policy_check: Some(check.clone()), ..Setup::default() }).await;
    (demo, check, sender)
}

fn request(demo: &Demo, query: &str, body: &'static [u8]) -> RequestBuilder {
    http_client().post(demo.url(&format!("/policy/check{query}"))).body(body)
}

async fn check(demo: &Demo) -> HttpResponse {
    send(request(demo, "", embedded::policy("sieve").unwrap())).await
}

#[tokio::test]
async fn policy_passes_only_if_all_checks_do_and_is_not_used() {
    let (demo, _, results) = scripted().await;
    for (outcome, passed, name) in
        [(CheckOutcome::Passed, true, "passed"), (CheckOutcome::Failed, false, "failed"), (CheckOutcome::Untried, false, "untried")]
    {
        results.send(outcome).unwrap();
        let verdict = check(&demo).await;
        assert_eq!(verdict.status, 200);
        let verdict = verdict.json();
        assert_eq!((&verdict["name"], &verdict["passed"]), (&"sieve".into(), &passed.into()));
        assert_eq!(verdict["checks"], json!([{ "check": "it is good", "outcome": name, "detail": "tried" }]));
    }
    let policy = demo.cache.policy();
    assert_eq!((policy.name.as_str(), policy.swaps), ("lru", 0));
}

#[tokio::test]
async fn second_check_is_refused_and_the_first_ends_with_its_client() {
    let (demo, script, _results) = scripted().await;
    let first = tokio::spawn(request(&demo, "", embedded::policy("sieve").unwrap()).send());
    eventually(|| script.begun.load(Ordering::SeqCst)).await;
    let second = check(&demo).await;
    assert_eq!((second.status, second.code().as_str()), (409, "check-under-way"));
    first.abort();
    eventually(|| script.cancelled.load(Ordering::SeqCst)).await;
}

#[tokio::test]
async fn unusable_requests_are_refused() {
    let (demo, ..) = scripted().await;
    for (query, body, status, code) in
        [("?name=lru", &b"x"[..], 400, "bad-request"), ("", b"", 400, "bad-request"), ("", b"not a component", 422, "unfit-policy")]
    {
        let refused = send(request(&demo, query, body)).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{query}");
    }
    let demo = Demo::start(Setup::default()).await;
    let refused = check(&demo).await;
    assert_eq!((refused.status, refused.code().as_str()), (501, "no-checks"));
}
