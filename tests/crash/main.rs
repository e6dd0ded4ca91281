//! Kills a service repeatedly while clients use it, and damages its files between two runs, as other programs might. After the next start,
//! all acknowledged media must be present, no deleted media may be, and no response may ever be wrong.
//!
//! `MEDIA_CACHE_CRASH_ROUNDS` sets the number of rounds, and `MEDIA_CACHE_CRASH_SEED` the seed of the random numbers. A seed repeats the
//! operations, but not their timing: a fault that depends on the moment of a kill may take several runs to recur.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod campaign;
mod clients;
mod damage;
mod disk;
mod findings;
mod model;

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use campaign::Campaign;
use findings::{Fault, Findings};
use media_cache_test_components::cache_with_fault;

/// The number of rounds in an ordinary test run.
const ROUNDS: u64 = 20;

/// The number of rounds within which a known fault must be found.
const MUTANT_ROUNDS: u64 = 200;

/// The number of faults after which further rounds are pointless.
const ENOUGH: usize = 50;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}, but must be a number")))
}

fn seed() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    variable("MEDIA_CACHE_CRASH_SEED").unwrap_or(now as u64)
}

/// Runs at most `rounds` rounds, and ends earlier if `is_enough` is true for the findings. Prints a summary, and returns the faults.
async fn run(seed: u64, rounds: u64, component: Option<PathBuf>, is_enough: impl Fn(&Findings) -> bool) -> Vec<(Fault, String)> {
    let started = Instant::now();
    let mut campaign = Campaign::new(seed, component).await;
    let mut done = 0;
    while done < rounds && !is_enough(campaign.findings()) {
        done += 1;
        campaign.round(done).await;
    }
    let (findings, tally) = (campaign.findings(), &campaign.tally);
    println!(
        "seed {seed}: {done} rounds, {} kills, {} stops, {} acknowledged, {} evicted, {} lost, {} samples of the budget, {:.0} s",
        tally.kills,
        tally.stops,
        findings.acknowledged(),
        findings.evicted(),
        findings.count(Fault::Lost),
        campaign.samples(),
        started.elapsed().as_secs_f64(),
    );
    println!("refused requests, which are not faults: {:?}", findings.refusals());
    let faults = findings.faults();
    faults.iter().for_each(|(_, fault)| println!("{fault}"));
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_media_survives_kills_and_deleted_media_does_not() {
    let seed = seed();
    let faults =
        run(seed, variable("MEDIA_CACHE_CRASH_ROUNDS").unwrap_or(ROUNDS), None, |findings| findings.faults().len() >= ENOUGH).await;
    assert!(faults.is_empty(), "{} faults with seed {seed}", faults.len());
}

/// The harness must find known faults. Otherwise, a run without findings would prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn crash_test_detects_components_with_a_known_fault() {
    let directory = tempfile::tempdir().unwrap();
    for (number, what, expected) in [
        (1, "acknowledges before the sidecar is written", &[Fault::Lost][..]),
        (2, "trusts the saved index more than sidecars", &[Fault::Lost, Fault::Wrong]),
        (3, "ignores files that it cannot delete", &[Fault::Unreported, Fault::Reappeared]),
    ] {
        let component = directory.path().join(format!("{number}.wasm"));
        std::fs::write(&component, cache_with_fault(number)).unwrap();
        println!("a component that {what}:");
        let is_caught = |findings: &Findings| expected.iter().any(|fault| findings.count(*fault) > 0);
        let faults = run(seed(), MUTANT_ROUNDS, Some(component), is_caught).await;
        assert!(faults.iter().any(|(fault, _)| expected.contains(fault)), "the crash test did not detect a component that {what}");
    }
}
