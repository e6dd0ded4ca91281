//! Three services behind Envoy, with and without a second tier, while a node is added or lost.
//!
//! ```sh
//! cargo bench --bench fleet -- [REQUESTS] [ENDPOINT …]
//! ```
//!
//! Each endpoint is an S3 server with an empty bucket named `bucket`; without one, the tier is in this process. 16 clients request images
//! with sizes from 1 to 120 kB, whose popularity follows Zipf's law, through Envoy. Each service has 16 MiB. The bench prints what the
//! origin saw before and after the change, in relation to a cluster without a change, and the latencies that the clients saw. Everything
//! shares the machine.

#[path = "../tests/fleet/fleet.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "it is written for tests, which use more of it")]
mod fleet;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::{StreamExt, stream};
use media_cache_test_support::balancer::BalancerKind;
use media_cache_test_support::images::png;
use media_cache_test_support::object_store::{self, ObjectStore};
use media_cache_test_support::random::{Random, noise};

use fleet::{Fleet, NodeOptions, digest_path, until_ready};

/// The number of images at the origin.
const IMAGES: u64 = 4000;

/// The number of clients.
const CLIENTS: usize = 16;

/// What happens to the third service halfway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Unchanged,
    Added,
    Lost,
}

/// What was seen during one half.
#[derive(Clone, Copy, Default)]
struct Half {
    misses: usize,
    failures: usize,
    origin_requests: usize,
    origin_bytes: u64,
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let requests = words.first().map_or(Ok(8000), |word| word.parse()).context("the number of requests")?;
    let endpoints = words.get(1..).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{requests} requests for {IMAGES} images, {CLIENTS} clients; 1 and 2: before and after the change");
        println!(
            "{:<28} {:<10} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>10} {:>8} {:>8} {:>8}",
            "tier",
            "node 3",
            "misses 1",
            "misses 2",
            "origin 1",
            "origin 2",
            "MB 1",
            "MB 2",
            "unchanged",
            "failures",
            "p50 ms",
            "p99 ms"
        );
        run("none", &NodeOptions::default(), requests).await?;
        if endpoints.is_empty() {
            let store = ObjectStore::start().await;
            run("in this process", &with_tier(store.variables(), "process"), requests).await?;
        }
        for endpoint in endpoints {
            run(endpoint, &with_tier(object_store::variables(endpoint), "bench"), requests).await?;
        }
        Ok(())
    })
}

fn with_tier(variables: Vec<(&'static str, String)>, prefix: &str) -> NodeOptions {
    NodeOptions { variables, arguments: vec!["--tier".into(), format!("s3://bucket/{prefix}")] }
}

/// Runs a cluster of each kind, each with a prefix of its own in the store.
async fn run(name: &str, options: &NodeOptions, requests: usize) -> anyhow::Result<()> {
    let mut unchanged = 0;
    for change in [Change::Unchanged, Change::Added, Change::Lost] {
        let mut options = options.clone();
        if let Some(location) = options.arguments.last_mut() {
            *location += &format!("/{change:?}-{}", std::process::id());
        }
        options.arguments.extend(["--max-size-mb", "16", "--max-body-mb", "1"].map(Into::into));
        let mut fleet = Fleet::start_with(BalancerKind::Envoy, options).await;
        let urls: Vec<String> = (0..IMAGES).map(|number| fleet.origin.serves(&path(number), "image/png", image(number))).collect();
        if change == Change::Added {
            fleet.kill(2).await;
        }
        let numbers = popular(requests);
        let (first, second) = numbers.split_at(requests / 2);
        let mut latencies = Vec::with_capacity(requests);
        let before = half(&fleet, &urls, first, &mut latencies).await;
        match change {
            Change::Unchanged => {}
            Change::Added => {
                fleet.restart(2).await;
                until_ready(fleet.node(2), 200).await;
            }
            Change::Lost => fleet.kill(2).await,
        }
        let after = half(&fleet, &urls, second, &mut latencies).await;
        if change == Change::Unchanged {
            unchanged = after.origin_requests;
        }
        latencies.sort_unstable();
        let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
        ensure!(unchanged > 0, "the origin got no requests");
        println!(
            "{name:<28} {:<10} {:>8} {:>8} {:>9} {:>9} {:>9.1} {:>9.1} {:>9.3}x {:>8} {:>8.1} {:>8.1}",
            format!("{change:?}").to_lowercase(),
            before.misses,
            after.misses,
            before.origin_requests,
            after.origin_requests,
            before.origin_bytes as f64 / 1e6,
            after.origin_bytes as f64 / 1e6,
            after.origin_requests as f64 / unchanged as f64,
            before.failures + after.failures,
            quantile(0.5),
            quantile(0.99),
        );
    }
    Ok(())
}

/// Requests images through the load balancer.
async fn half(fleet: &Fleet, urls: &[String], numbers: &[usize], latencies: &mut Vec<Duration>) -> Half {
    let asked = |number: usize| fleet.origin.requests(&path(number as u64));
    let before: Vec<usize> = (0..urls.len()).map(asked).collect();
    let request = async |number: &usize| {
        let begun = Instant::now();
        let answer = fleet.get(&digest_path(&urls[*number], None)).await;
        (begun.elapsed(), answer.status == 200 && answer.body == image(*number as u64), answer.header("x-cache") == "miss")
    };
    let answers: Vec<_> = stream::iter(numbers).map(request).buffer_unordered(CLIENTS).collect().await;
    let mut half = Half::default();
    for (latency, is_right, is_miss) in answers {
        latencies.push(latency);
        half.failures += usize::from(!is_right);
        half.misses += usize::from(is_miss);
    }
    for (number, before) in before.iter().enumerate() {
        let requests = asked(number) - before;
        half.origin_requests += requests;
        half.origin_bytes += (requests * image(number as u64).len()) as u64;
    }
    half
}

fn path(number: u64) -> String {
    format!("/{number}.png")
}

fn image(number: u64) -> Vec<u8> {
    [png(number), noise(number, (number * number * 7 % 120_000) as usize)].concat()
}

/// The numbers of requested images. The popularity of the n-th is proportional to 1/n.
fn popular(requests: usize) -> Vec<usize> {
    let mut random = Random(5);
    let mut sum = 0.0;
    let weights: Vec<f64> = (1..=IMAGES)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    let total = weights.last().copied().unwrap_or(1.0);
    let share = |random: &mut Random| random.below(1 << 30) as f64 / (1 << 30) as f64;
    let number = |point: f64| weights.partition_point(|weight| *weight < point);
    (0..requests).map(|_| number(share(&mut random) * total).min(weights.len() - 1)).collect()
}
