//! Three services behind Envoy, with a second tier behind them.

use std::time::Instant;

use futures::StreamExt;
use futures::stream;
use media_cache_test_support::balancer::BalancerKind;
use media_cache_test_support::command::run;
use media_cache_test_support::http_client::send;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::ObjectStore;
use media_cache_test_support::random::{Random, noise};
use media_cache_test_support::soon::soon;
use serde_json::Value;

use crate::fleet::{Fleet, NODES, NodeOptions, digest_path, until_ready};

/// Whether Envoy is missing.
fn is_skipped() -> bool {
    media_cache_test_skip::unless_installed(BalancerKind::Envoy.program())
}

/// A timeout that the store in this process does not exceed, even on a busy machine.
const PATIENT: &str = "20000";

fn with_tier(store: &ObjectStore, arguments: &[&str]) -> NodeOptions {
    let arguments = ["--tier", "s3://bucket/media", "--tier-timeout-ms", PATIENT].into_iter().chain(arguments.iter().copied());
    NodeOptions { variables: store.variables(), arguments: arguments.map(Into::into).collect() }
}

/// An image whose size depends on its number.
fn image(number: u64) -> Vec<u8> {
    [png(number), noise(number, (number * number * 7 % 60_000) as usize)].concat()
}

/// URLs of images at the origin.
fn images(fleet: &Fleet, count: u64) -> Vec<String> {
    (0..count).map(|number| fleet.origin.serves(&format!("/{number}.png"), "image/png", image(number))).collect()
}

/// The numbers of requested images: a small number is more popular.
fn popular(count: u64, requests: usize) -> Vec<usize> {
    let mut random = Random(5);
    (0..requests).map(|_| (random.below(count) * random.below(count) / count) as usize).collect()
}

/// Requests images through the load balancer. Returns how many were not stored on their nodes.
async fn request(fleet: &Fleet, urls: &[String], numbers: &[usize]) -> usize {
    let mut misses = 0;
    for number in numbers {
        let answer = fleet.get(&digest_path(&urls[*number], None)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        misses += usize::from(answer.header("x-cache") != "hit");
    }
    misses
}

#[tokio::test]
async fn a_thousand_clients_that_need_the_same_new_media_cause_one_request_to_the_origin() {
    if is_skipped() {
        return;
    }
    let store = ObjectStore::start().await;
    let fleet = Fleet::start_with(BalancerKind::Envoy, with_tier(&store, &["--tier-lease-kb", "0"])).await;
    let url = fleet.origin.serves("/a.png", "image/png", png(1));
    let path = digest_path(&url, None);
    let latch = fleet.origin.hold("/a.png");
    // Most clients do not use the load balancer, which would send all of them to the same node.
    let request = async |client: usize| match client % (NODES + 1) {
        NODES => fleet.get(&path).await,
        node => send(fleet.node(node).anonymous_request(http::Method::GET, &path)).await,
    };
    let clients = stream::iter(0..1000).map(request).buffer_unordered(1000).collect::<Vec<_>>();
    let open = async {
        latch.reached().await;
        latch.open();
    };
    let (answers, ()) = tokio::join!(clients, open);
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (200, &png(1).into()), "{}", answer.text());
    }
    assert_eq!((answers.len(), fleet.origin.requests("/a.png")), (1000, 1));
}

#[tokio::test]
async fn killed_node_causes_no_wrong_bytes_and_errors_only_for_requests_in_progress() {
    if is_skipped() {
        return;
    }
    let store = ObjectStore::start().await;
    let mut fleet = Fleet::start_with(BalancerKind::Envoy, with_tier(&store, &[])).await;
    let urls = images(&fleet, 300);
    let client = media_cache_test_support::http_client::http_client();
    let (address, numbers) = (fleet.address(), popular(300, 3000));
    let bodies: Vec<Vec<u8>> = (0..300).map(image).collect();
    let request = |number: usize| {
        let request = client.get(format!("http://{address}{}", digest_path(&urls[number], None)));
        let expected = &bodies[number];
        async move {
            let begun = Instant::now();
            let answer = match request.send().await {
                Ok(response) => (response.status().as_u16(), response.bytes().await.ok()),
                Err(_) => (0, None),
            };
            let is_right = answer == (200, Some(expected.clone().into()));
            assert!(is_right || answer.0 != 200 || answer.1.is_none(), "wrong bytes");
            (begun, Instant::now(), is_right)
        }
    };
    let load =
        async |numbers: &[usize]| -> Vec<_> { stream::iter(numbers.to_vec()).map(request).buffer_unordered(16).collect().await };
    let (first, rest) = numbers.split_at(500);
    let (during, last) = rest.split_at(1500);
    assert!(load(first).await.iter().all(|(.., is_right)| *is_right));
    let kill = async {
        let before = Instant::now();
        fleet.kill(1).await;
        (before, Instant::now())
    };
    let (answers, (before, killed)) = tokio::join!(load(during), kill);
    assert!(load(last).await.iter().all(|(.., is_right)| *is_right));
    let late: Vec<_> =
        answers.iter().filter(|(begun, ended, is_right)| !is_right && (*begun > killed || *ended < before)).collect();
    let failed = answers.iter().filter(|(.., is_right)| !is_right).count();
    assert!(late.is_empty(), "{} of {failed} failed requests were not in progress when the node was killed", late.len());
}

#[tokio::test]
async fn added_node_gets_what_it_needs_from_the_tier() {
    if is_skipped() {
        return;
    }
    let numbers = popular(400, 1200);
    let (first, second) = numbers.split_at(600);
    let mut asked = Vec::new();
    for is_added in [false, true] {
        let store = ObjectStore::start().await;
        let mut fleet = Fleet::start_with(BalancerKind::Envoy, with_tier(&store, &["--max-size-mb", "3"])).await;
        let urls = images(&fleet, 400);
        if is_added {
            fleet.kill(2).await;
        }
        request(&fleet, &urls, first).await;
        if is_added {
            fleet.restart(2).await;
            until_ready(fleet.node(2), 200).await;
            // The load balancer has noticed it, too.
            let probes = fleet.images("probe", 20);
            let requests = async || fleet.node(2).stats().await["media_cache"]["misses"].as_u64().unwrap();
            soon(async {
                while requests().await == 0 {
                    for probe in &probes {
                        fleet.get(&digest_path(probe, None)).await;
                    }
                }
            })
            .await;
        }
        let before = fleet.origin.total_requests();
        request(&fleet, &urls, second).await;
        asked.push(fleet.origin.total_requests() - before);
        if is_added {
            let stats = fleet.node(2).stats().await;
            assert!(stats["tier"]["lookups"]["hit"].as_u64() > Some(10), "{}", stats["tier"]);
        }
    }
    assert!(asked[1] as f64 <= 1.05 * asked[0] as f64, "{asked:?}");
}

#[tokio::test]
async fn simulate_predicts_the_misses_of_the_nodes_and_the_requests_to_the_origin() {
    if is_skipped() {
        return;
    }
    let (store, requests) = (ObjectStore::start().await, 2000);
    let fleet = Fleet::start_with(BalancerKind::Envoy, with_tier(&store, &["--max-size-mb", "3"])).await;
    let urls = images(&fleet, 400);
    let misses = request(&fleet, &urls, &popular(400, requests)).await;
    let asked = fleet.origin.total_requests();
    let capacity = fleet.node(0).stats().await["media_cache"]["max_entry_bytes"].to_string();
    let trace = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(trace.path(), fleet.stop_and_trace().await.join("\n")).unwrap();
    let nodes = NODES.to_string();
    let path = trace.path().to_str().unwrap();
    let arguments = ["simulate", "--nodes", &nodes, "--tier", "1GiB", "--capacity", &capacity, "--policy", "lru", "--json", path];
    let rows: Value = serde_json::from_str(&run(&arguments).await.succeeded_text()).unwrap();
    let row = &rows[0];
    assert_eq!(row["requests"], requests);
    let ratios = [(&row["object_misses"], misses), (&row["origins"]["requests"], asked)];
    for (simulated, real) in ratios {
        let (simulated, real) = (simulated.as_f64().unwrap() / requests as f64, real as f64 / requests as f64);
        assert!((simulated - real).abs() <= 0.01, "simulated {simulated}, real {real}: {row}");
    }
    assert!(misses > asked, "some misses of the nodes were served by the tier: {misses}, {asked}");
}
