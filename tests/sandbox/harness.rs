//! What the tests work with: a place for a cache to be in, and shorthands for asking it.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use media_cache::download::FetchError;
use media_cache::{Builder, CacheError, Clock, Engine, Listed, LoadReport, LockError, Media, MediaCache, OpenError, Stats};
use tempfile::TempDir;

use crate::origin::{Films, Origin};

/// What an entry of at most a block of media takes up: one block for each of its files.
pub const SMALL: u64 = 8192;

/// One for all tests, so that the components are compiled once.
pub static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new().unwrap());

/// A place for a cache, and all that it is given.
pub struct Rig {
    root: TempDir,
    pub origin: Arc<Origin>,
    pub films: Arc<Films>,
    pub clock: Arc<ManualClock>,
}

impl Rig {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        Self { root, origin: Arc::default(), films: Arc::default(), clock: Arc::default() }
    }

    /// Where the entries are.
    pub fn directory(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    /// A place beside it.
    pub fn outside(&self) -> &Path {
        self.root.path()
    }

    pub fn builder(&self) -> Builder {
        MediaCache::builder()
            .directory(self.directory())
            .shared_downloader(self.origin.clone())
            .shared_transcoder(self.films.clone())
            .clock(self.clock.clone())
            .engine(ENGINE.clone())
    }

    /// A cache with the default limits.
    pub async fn open(&self) -> MediaCache {
        self.open_with(|builder| builder).await
    }

    /// Opens the directory again as soon as the cache that has it lets go of it, which nothing else tells.
    pub async fn open_when_free(&self) -> MediaCache {
        let open = async {
            loop {
                match self.builder().open().await {
                    Err(OpenError::Lock(LockError::InUse(_))) => tokio::task::yield_now().await,
                    opened => return opened.unwrap(),
                }
            }
        };
        soon(open).await
    }

    pub async fn open_with(&self, set: impl FnOnce(Builder) -> Builder) -> MediaCache {
        set(self.builder()).open().await.unwrap()
    }
}

/// A time that passes when it is told to.
#[derive(Default)]
pub struct ManualClock {
    time: Mutex<Time>,
    changed: Condvar,
}

#[derive(Default)]
struct Time {
    elapsed: Duration,
    /// By how much the wall clock was set back.
    set_back: Duration,
    stopped: bool,
    /// How many look at the clock and do not get away.
    stuck: usize,
}

/// When the clock starts: so many seconds after 1970.
const START: u64 = 1_700_000_000;

impl ManualClock {
    pub fn advance(&self, time: Duration) {
        self.time.lock().unwrap().elapsed += time;
    }

    /// Sets back the wall clock, and it alone.
    pub fn set_back(&self, time: Duration) {
        self.time.lock().unwrap().set_back += time;
    }

    /// The time of the wall clock as the cache sees it.
    pub fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.now()
    }

    /// From now on whoever looks at the clock is held up, until the guard is dropped. The component is, since it runs on one
    /// thread and looks at the clock for every hit: with this a test stops it in its tracks.
    pub fn stop(&self) -> Stopped<'_> {
        self.time.lock().unwrap().stopped = true;
        Stopped(self)
    }

    /// Time since the start, and by how much the wall clock was set back.
    fn look(&self) -> (Duration, Duration) {
        let mut time = self.time.lock().unwrap();
        time.stuck += 1;
        self.changed.notify_all();
        let mut time = self.changed.wait_while(time, |time| time.stopped).unwrap();
        time.stuck -= 1;
        (time.elapsed, time.set_back)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        let (elapsed, set_back) = self.look();
        Duration::from_secs(START) + elapsed - set_back
    }

    fn elapsed(&self) -> Duration {
        self.look().0
    }
}

/// The clock stands still, and so does the component.
pub struct Stopped<'a>(&'a ManualClock);

impl Stopped<'_> {
    /// Blocks until somebody is held up.
    pub fn wait_until_stuck(&self) {
        drop(self.0.changed.wait_while(self.0.time.lock().unwrap(), |time| time.stuck == 0).unwrap());
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.time.lock().unwrap().stopped = false;
        self.0.changed.notify_all();
    }
}

pub fn bytes(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

/// The counters of a cache whose components are both well.
pub async fn stats(cache: &MediaCache) -> Stats {
    let status = cache.status().await.unwrap();
    assert_eq!((status.restarts, status.policy.fallbacks), (0, 0), "a component broke down");
    status.cache
}

/// What a start found, to be compared.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    pub entries: u64,
    pub from_snapshot: u64,
    pub leftovers: u64,
    pub damaged: u64,
    pub evicted: u64,
}

pub fn found(cache: &MediaCache) -> Found {
    let LoadReport { entries, from_snapshot, leftovers, damaged, evicted } = cache.load_report();
    Found { entries, from_snapshot, leftovers, damaged, evicted }
}

/// Comes back when the counters say so. For what happens inside the component, of which no event tells.
pub async fn until(cache: &MediaCache, condition: impl Fn(&Stats) -> bool) -> Stats {
    let reached = async {
        loop {
            let stats = stats(cache).await;
            if condition(&stats) {
                return stats;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(reached).await
}

/// Waits for something that might never come, where a test is to fail rather than to hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes far too long")
}

/// The bytes of what was answered.
pub async fn body(media: &Media) -> Vec<u8> {
    media.body.bytes().await.unwrap().to_vec()
}

/// Asks, expects the download to fail, and says how.
pub async fn failure(cache: &MediaCache, url: &str) -> FetchError {
    match cache.get_or_download(url).await {
        Err(CacheError::Fetch(error)) => error,
        other => panic!("this should have failed: {other:?}"),
    }
}

/// Downloads each URL.
pub async fn fill(cache: &MediaCache, urls: &[&str]) {
    for url in urls {
        cache.get_or_download(url).await.unwrap();
    }
}

/// All entries, the least recently used first.
pub async fn entries(cache: &MediaCache) -> Vec<Listed> {
    let mut entries = Vec::new();
    let mut next = None;
    loop {
        let page = cache.entries(next, 100).await.unwrap();
        entries.extend(page.entries);
        next = page.next;
        if next.is_none() {
            return entries;
        }
    }
}

/// The URLs of all entries, the least recently used first.
pub async fn order(cache: &MediaCache) -> Vec<String> {
    entries(cache).await.into_iter().map(|entry| entry.url).collect()
}

/// The URLs of those that are at hand, the least recently used first.
pub async fn resident(cache: &MediaCache) -> Vec<String> {
    entries(cache).await.into_iter().filter(|entry| entry.resident).map(|entry| entry.url).collect()
}

/// A directory that a cache with these entries, stored a second apart and in this order, has left.
pub async fn left_by_a_run(urls: &[&str]) -> Rig {
    let rig = Rig::new();
    let cache = rig.open().await;
    for url in urls {
        fill(&cache, &[url]).await;
        rig.clock.advance(Duration::from_secs(1));
    }
    cache.close().await.unwrap();
    rig
}
