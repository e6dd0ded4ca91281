//! Compares `get` and `put` of 10 KB in process with the caches foyer (its memory cache) and moka, and measures what the one thread that
//! drives the component can do.
//!
//! ```sh
//! cargo run --release --manifest-path bench/in-process/Cargo.toml
//! ```
//!
//! `get` requests resident entries on one thread, and each result is dropped immediately. foyer and moka store in memory; a `put` of
//! media-cache has also written both files of the entry when it returns. The caches take turns, and medians of the rounds are printed. All
//! of them get the same URLs in the same order.

mod driver;
mod median;
mod subjects;

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::median::median;
use crate::subjects::{Foyer, Moka, Ours, Subject};

const ROUNDS: usize = 9;

/// The number of entries, which the gets request in turn.
const ENTRIES: usize = 512;

const GETS: usize = 200_000;
const PUTS: usize = 2_000;

fn main() -> anyhow::Result<()> {
    let runtime = Runtime::new()?;
    let urls = |prefix: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("https://media.example.com/{prefix}/{number}.png")).collect()
    };
    let stored = urls("emoji", ENTRIES);
    let mut subjects: Vec<Box<dyn Subject>> =
        vec![Box::new(Ours::open(&runtime, ENTRIES)?), Box::new(Foyer::new(ENTRIES)), Box::new(Moka::new(ENTRIES))];
    let (mut gets, mut puts) = (vec![Vec::new(); subjects.len()], vec![Vec::new(); subjects.len()]);
    for round in 0..ROUNDS {
        let new = urls(&format!("round-{round}"), PUTS);
        for (index, subject) in subjects.iter_mut().enumerate() {
            puts[index].push(time_of(PUTS, || subject.put(&runtime, &new))?);
            subject.put(&runtime, &stored)?;
            gets[index].push(time_of(GETS, || subject.get(&runtime, &stored, GETS))?);
        }
    }
    for (name, times, note) in [("get", &gets, "resident"), ("put", &puts, "media-cache writes files")] {
        println!("{name} of 10 KB ({note}), median of {ROUNDS} rounds:");
        let ours = median(&times[0]);
        for (subject, times) in subjects.iter().zip(times) {
            let time = median(times);
            println!("  {:<12} {:>9.0} ns, media-cache takes {:.2} times as long", subject.name(), time * 1e9, ours / time);
        }
    }
    drop(subjects);
    driver::measure(&runtime)
}

/// Seconds per operation.
fn time_of(count: usize, operations: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let started = Instant::now();
    operations()?;
    Ok(Duration::as_secs_f64(&started.elapsed()) / count as f64)
}
