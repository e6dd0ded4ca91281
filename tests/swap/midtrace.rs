//! After a swap, a live cache behaves as the simulator predicts.

use media_cache::{Engine, FetchError, FetchedMedia, MediaCache, NoTranscoder, PolicyChoice, PolicyLimits};
use media_cache_simulator::{Replay, Sandboxed, Seed, Trace};
use media_cache_test_support::cache_rig::entry_budget;
use media_cache_test_support::workspace::workspace_path;

const BUDGET: u64 = 32 << 20;
/// The number of requests before the policy is replaced.
const BEFORE: usize = 15_000;
/// The number of requests after the swap whose misses are counted.
const AFTER: usize = 20_000;
/// The sizes in the trace are divided by this, so that the test writes hundreds of megabytes rather than gigabytes.
const SMALLER: u64 = 32;
const BLOCK: u64 = 4096;

/// Returns as many bytes as the URL specifies.
async fn download(url: String) -> Result<FetchedMedia, FetchError> {
    let size = url.rsplit(':').next().unwrap().parse().unwrap();
    Ok(FetchedMedia::new(vec![7u8; size], "application/octet-stream", "a.bin"))
}

#[tokio::test]
async fn cache_has_as_many_misses_after_a_swap_as_the_simulator_predicts() {
    let whole = Trace::read(std::fs::File::open(workspace_path("tests/data/media.csv.xz")).unwrap()).unwrap();
    let requests = &whole.requests()[..BEFORE + AFTER];
    let media = requests.iter().map(|request| (request.object, (request.size / SMALLER).max(1)));
    let urls: Vec<String> = media.clone().map(|(object, size)| format!("test:{object}:{size}")).collect();
    // The disk usage of an entry: its media in blocks, and a block for the sidecar.
    let on_disk = media.map(|(object, size)| format!("0,{object},{}\n", (size.div_ceil(BLOCK) + 1) * BLOCK));
    let trace = Trace::read(on_disk.collect::<String>().as_bytes()).unwrap();

    let engine = Engine::new().unwrap();
    let policy = |name| {
        let choice = PolicyChoice::from(engine.built_in_policy(name).unwrap());
        Sandboxed::new(engine.policies(), &choice, PolicyLimits::default(), BUDGET).unwrap()
    };
    let simulated = |seed| {
        let mut replay = Replay::new(&trace, policy("lru"), BUDGET);
        replay.run(BEFORE).unwrap();
        let before = replay.counts().object_misses;
        let mut replay = replay.swap(policy("gdsf"), seed).unwrap();
        replay.run(AFTER).unwrap();
        (before, replay.counts().object_misses - before)
    };
    let (before, after) = simulated(Seed::Hits);
    let (_, ideal) = simulated(Seed::AllRequests);

    let directory = tempfile::tempdir().unwrap();
    let builder = MediaCache::builder().engine(engine.clone()).directory(directory.path()).downloader(download);
    let builder = builder.transcoder(NoTranscoder).max_memory_items(0);
    let cache = entry_budget(builder, BUDGET).open().await.unwrap();
    let misses = async |urls: &[String]| {
        let before = cache.status().await.unwrap().cache.misses;
        for url in urls {
            cache.get_or_download(url).await.unwrap();
        }
        cache.status().await.unwrap().cache.misses - before
    };
    assert_eq!(misses(&urls[..BEFORE]).await, before);
    cache.swap_policy(engine.built_in_policy("gdsf").unwrap()).await.unwrap();
    let live = misses(&urls[BEFORE..]).await;
    println!("misses of {AFTER} requests: live {live}, simulated {after}, ideally seeded {ideal}");
    assert_eq!(live, after);
    assert!(live.saturating_sub(ideal) <= AFTER as u64 / 100, "{live} {ideal}");
}
