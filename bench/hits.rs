//! Measures the cost of a hit: through the component, and from a blob that is resident on the host.
//!
//! ```sh
//! cargo bench -p media-cache --bench hits
//! ```

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};
use media_cache::{Builder, FetchError, FetchedMedia, MediaCache, NoTranscoder};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

const URL: &str = "https://example.com/emoji/1.png";

async fn make(_url: String) -> Result<FetchedMedia, FetchError> {
    Ok(FetchedMedia::new(vec![b'x'; 1000], "image/png", "1.png"))
}

/// A cache with one entry in it.
struct Rig {
    runtime: Runtime,
    cache: MediaCache,
    _directory: tempfile::TempDir,
}

impl Rig {
    #[allow(clippy::unwrap_used, reason = "a bench that cannot start is useless")]
    fn new(configure: impl FnOnce(Builder) -> Builder) -> Self {
        let runtime = Runtime::new().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let builder = MediaCache::builder().directory(directory.path()).downloader(make).transcoder(NoTranscoder);
        let cache = runtime.block_on(configure(builder).open()).unwrap();
        runtime.block_on(cache.get_or_download(URL)).unwrap();
        Self { runtime, cache, _directory: directory }
    }
}

/// Concurrent hits: enough that the component's thread never waits for the next.
const AT_ONCE: usize = 1000;

/// Time per hit on the thread that owns the component, including the channels to and from it. Returns the entry's blob.
#[divan::bench]
fn through_the_component(bencher: Bencher) {
    let rig = Rig::new(Builder::every_hit_calls);
    let hit = || async { black_box(rig.cache.get(URL).await.is_ok_and(|media| media.is_some())) };
    bencher.counter(ItemsCount::new(AT_ONCE)).bench_local(|| {
        let hits = rig.runtime.block_on(futures::future::join_all((0..AT_ONCE).map(|_| hit())));
        assert!(hits.iter().all(|hit| *hit));
    });
}

/// The same, but every hit reads from disk, since nothing is kept in memory.
#[divan::bench]
fn from_disk(bencher: Bencher) {
    let rig = Rig::new(|builder| builder.max_memory_items(0));
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        assert!(rig.runtime.block_on(rig.cache.get(URL)).is_ok_and(|media| media.is_some()));
    });
}

/// Hits on a resident blob, on the calling thread. Meanwhile, the component is notified of them in batches.
#[divan::bench]
fn by_held_blob(bencher: Bencher) {
    let rig = Rig::new(|builder| builder);
    bencher.counter(ItemsCount::new(AT_ONCE)).bench_local(|| {
        rig.runtime.block_on(async {
            for _ in 0..AT_ONCE {
                assert!(rig.cache.get(URL).await.is_ok_and(|media| media.is_some()));
            }
        });
    });
}
