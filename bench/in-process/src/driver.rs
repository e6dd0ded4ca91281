//! The capacity of the thread that drives the component: concurrent operations per second, and its processor time for each. The inverse of
//! that time is the rate at which one thread saturates, however many cores there are.

use std::fs;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use media_cache::{Builder, MediaCache, NoTranscoder};
use tokio::runtime::Runtime;

use crate::subjects::{SIZE, make};

/// Concurrent operations, enough that the thread never waits for the next.
const AT_ONCE: usize = 64;
const OPERATIONS: usize = 10_000;
/// Entries that are looked up.
const ENTRIES: usize = 1_000;

/// The name of the thread.
const THREAD: &str = "media-cache";

pub fn measure(runtime: &Runtime) -> anyhow::Result<()> {
    println!("the driver's thread, {AT_ONCE} concurrent operations, 10 KB each:");
    runtime.block_on(async {
        let (cache, _directory) = open(|builder| builder).await?;
        let url = |number| format!("https://media.example.com/new/{number}.png");
        report("put of a new URL", async |number| {
            cache.put(&url(number), vec![b'x'; SIZE], "image/png", "1.png").await?;
            Ok(())
        })
        .await?;
        cache.close().await?;
        let (cache, _directory) = open(|builder| builder).await?;
        report("miss, with an instant downloader", async |number| {
            cache.get_or_download(&url(number)).await?;
            Ok(())
        })
        .await?;
        cache.close().await?;
        let lookups = [
            (
                "hit through the component",
                (|builder| builder.max_memory_items(ENTRIES as u32).every_hit_calls()) as fn(Builder) -> Builder,
            ),
            ("hit from disk, open", |builder| builder.max_memory_items(0).max_open_files(ENTRIES as u32)),
            ("hit from disk, not open", |builder| builder.max_memory_items(0).max_open_files(0)),
        ];
        for (name, configure) in lookups {
            let (cache, _directory) = open(configure).await?;
            for number in 0..ENTRIES {
                cache.get_or_download(&url(number)).await?;
                // This opens the entry, if entries are kept open.
                cache.get(&url(number)).await?;
            }
            report(name, async |number| {
                cache.get(&url(number % ENTRIES)).await?;
                Ok(())
            })
            .await?;
            cache.close().await?;
        }
        Ok(())
    })
}

async fn open(configure: impl FnOnce(Builder) -> Builder) -> anyhow::Result<(MediaCache, tempfile::TempDir)> {
    let directory = tempfile::tempdir()?;
    let builder = MediaCache::builder().directory(directory.path()).downloader(make).transcoder(NoTranscoder);
    Ok((configure(builder).open().await?, directory))
}

async fn report(name: &str, operation: impl AsyncFn(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let (started, before) = (Instant::now(), thread_time()?);
    stream::iter(0..OPERATIONS).map(|number| operation(number)).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let (taken, busy) = (started.elapsed().as_secs_f64(), (thread_time()? - before).as_secs_f64());
    let each = busy / OPERATIONS as f64;
    println!(
        "  {name:<45} {:>7.0} per second with the thread {:>3.0} % busy; {:>5.1} us each, so at most {:.0} per second",
        OPERATIONS as f64 / taken,
        100.0 * busy / taken,
        each * 1e6,
        1.0 / each
    );
    Ok(())
}

/// The processor time of all threads with this name. Only one of them is alive.
fn thread_time() -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        if fs::read_to_string(thread.join("comm"))?.trim() == THREAD {
            let times = fs::read_to_string(thread.join("schedstat"))?;
            nanoseconds += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}
