//! Random operations on a cache, one after the other, compared with a model: no body is wrong, nothing acknowledged is lost unless it was
//! evicted, nothing deleted reappears, the counters add up, and the budget is never exceeded. In between, the cache is closed, killed and
//! reopened, its policy is replaced, its disk fails, and files are damaged.
//!
//! `MEDIA_CACHE_MODEL_OPERATIONS` sets the number of operations. `MEDIA_CACHE_MODEL_SEED` sets the seed of the random numbers, to repeat a
//! run. The test prints both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod campaign;
mod operations;
mod subject;

use std::time::{Instant, SystemTime};

use campaign::Campaign;

/// The number of operations in an ordinary test run.
const OPERATIONS: u64 = 12_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}, but must be a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_and_faults_match_the_model() {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let seed = variable("MEDIA_CACHE_MODEL_SEED").unwrap_or(now as u64);
    let operations = variable("MEDIA_CACHE_MODEL_OPERATIONS").unwrap_or(OPERATIONS);
    println!("seed {seed}, {operations} operations");
    let started = Instant::now();
    let mut campaign = Campaign::begin(seed).await;
    for _ in 0..operations {
        campaign.operate().await;
    }
    campaign.verify().await;
    println!("{:?}, {:.0} s", campaign.tally, started.elapsed().as_secs_f64());
}
