//! A long run that monitors memory and handles during many mixed requests, all of which go through the component.
//!
//! ```sh
//! cargo bench -p media-cache --bench soak -- 100000
//! ```
//!
//! Most requests are hits, in memory or on disk; the others download, evict, fail, replace or remove. After every tenth of the requests it
//! prints the resident set of the process and the number of blobs that the component holds beyond its resident entries, which must be zero.

use std::num::NonZeroU64;
use std::time::Instant;

use anyhow::{Context, ensure};
use media_cache::{FetchError, FetchedMedia, MediaCache, NoTranscoder};
use media_cache_test_support::random::Random;

/// The number of URLs. A tenth of them fits the budget.
const URLS: u64 = 5000;

async fn make(url: String) -> Result<FetchedMedia, FetchError> {
    let number: u64 = url.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    match number % 50 {
        7 => Err(FetchError::NotFound),
        8 => Ok(FetchedMedia::new("GIF89a", "image/gif", "a.gif")),
        _ => {
            let size = 500 + (number % 17) as usize * 1000;
            Ok(FetchedMedia::new(vec![b'x'; size], "image/png", "a.png"))
        }
    }
}

fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS is missing")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let requests: u64 = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let directory = tempfile::tempdir()?;
    let budget = NonZeroU64::new(URLS / 10 * 16 * 1024).unwrap_or(NonZeroU64::MIN);
    let builder = MediaCache::builder().directory(directory.path()).max_disk_bytes(budget).every_hit_calls();
    let cache = builder.downloader(make).transcoder(NoTranscoder).open().await?;
    println!("{:>10} {:>10} {:>8} {:>8} {:>10} {:>8}", "requests", "RSS KiB", "entries", "resident", "evictions", "leaked");
    let started = Instant::now();
    let mut random = Random(1);
    for request in 0..requests {
        let (choice, spread) = (random.below(128), random.number());
        // Squared, so that a few URLs receive most of the requests.
        let number = (spread % URLS) * (spread % URLS) / URLS;
        let url = format!("https://example.com/{number}");
        match choice {
            0 => drop(cache.remove(&url).await?),
            1 => drop(cache.put(&url, "brought along", "text/plain", "a.txt").await?),
            _ => drop(cache.get_or_download(&url).await),
        }
        if (request + 1) % (requests / 10).max(1) == 0 {
            let status = cache.status().await?;
            let stats = &status.cache;
            let leaked = status.blob_handles as i64 - stats.resident_entries as i64 - i64::from(stats.open_files);
            let (entries, resident, evictions) = (stats.entries, stats.resident_entries, stats.evictions);
            println!("{:>10} {:>10} {entries:>8} {resident:>8} {evictions:>10} {leaked:>8}", request + 1, resident_kib()?);
            ensure!(leaked == 0, "the component leaked {leaked} blobs");
        }
    }
    println!(
        "{:.1} s, {:.0} requests per second, one at a time",
        started.elapsed().as_secs_f64(),
        requests as f64 / started.elapsed().as_secs_f64()
    );
    cache.close().await?;
    Ok(())
}
