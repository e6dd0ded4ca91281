//! Makes a cache do everything that it does with files, step by step, while one operation fails, and checks the conditions that must hold
//! afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use media_cache::{
    Blob, CacheControl, CacheError, Durability, EntryFilter, Health, Media, MediaCache, PutOutcome, Source, StoreError, Validators,
};
use media_cache_test_support::cache_directory::{copy_files, disk_usage};
use media_cache_test_support::cache_requests::body;
use media_cache_test_support::cache_rig::{CacheRig, bytes};
use media_cache_test_support::cache_state::{entries as listed, recovered, stats};
use media_cache_test_support::file_faults::{EndFaults, Fault, FaultyDisk};
use media_cache_test_support::random::noise;
use media_cache_test_support::scripted_origin::{fetched, text};
use media_cache_test_support::soon::soon;

use crate::directory::{LARGE, PreparedDirectory, entries};

/// Enough bytes for all but the last entry.
const BUDGET: u64 = 800_000;

/// The time without a response after which a cache counts as unresponsive, in runs where operations hang.
const MAX_SILENCE: Duration = Duration::from_millis(300);

/// The result for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Done,
    Stored,
    Hit,
    Miss,
    NotStored,
    Unmodified,
    NotLoaded,
    Incomplete,
    Failed,
    Unavailable,
}

impl Outcome {
    /// Whether callers may get this outcome while the cache is unresponsive.
    pub fn is_without_the_cache(self) -> bool {
        matches!(self, Self::NotStored | Self::Unavailable | Self::NotLoaded | Self::Hit)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Stored => "stored",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::NotStored => "served, not stored",
            Self::Unmodified => "unmodified",
            Self::NotLoaded => "not loaded",
            Self::Incomplete => "incomplete",
            Self::Failed => "error",
            Self::Unavailable => "unavailable",
        })
    }
}

/// The result of the workload.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The outcome of each step.
    pub outcomes: Vec<(&'static str, Outcome)>,
    /// The first reason reported for a degraded cache after a step.
    pub reported: Option<String>,
    /// The operations that occurred, whether they succeeded or failed.
    pub seen: BTreeSet<String>,
    /// How many operations failed.
    pub failed: usize,
}

impl Run {
    /// The outcome of a step.
    pub fn outcome(&self, step: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|(name, _)| *name == step).map(|(_, outcome)| outcome)
    }
}

/// A cache in use, and the changes that it has acknowledged.
struct Stage<'a> {
    rig: &'a CacheRig,
    directory: PathBuf,
    cache: MediaCache,
    run: Run,
    /// The acknowledged media of each URL; `None` if it was deleted.
    acknowledged: BTreeMap<&'static str, Option<Vec<u8>>>,
}

/// Runs the workload in a copy of a directory, while an operation fails.
pub async fn run(directory: &PreparedDirectory, fault: Option<(String, Fault)>) -> Run {
    let (rig, disk) = (CacheRig::create(), Arc::new(FaultyDisk::default()));
    let _end = EndFaults(disk.clone());
    directory.copy_to(&rig.directory());
    let hangs = matches!(fault, Some((_, Fault::Hang)));
    if let Some((operation, fault)) = fault {
        disk.fail(move |name| (name == operation).then_some(fault));
    }
    let silence = if hangs { MAX_SILENCE } else { Duration::from_secs(60) };
    let open = async |directory: &Path, durability| {
        let builder = rig.builder().directory(directory).max_silence(silence).durability(durability);
        let builder = builder.max_disk_bytes(bytes(BUDGET)).max_memory_items(2).max_memory_bytes(LARGE as u64 * 4);
        builder.file_faults(disk.clone()).prepare().unwrap().start().await.unwrap()
    };
    rig.origin.serves_bytes("test:large", noise(1, LARGE));
    let cache = open(&rig.directory(), Durability::Batch).await;
    let acknowledged = entries().map(|(url, media)| (url, Some(media))).into();
    let mut stage = Stage { rig: &rig, directory: rig.directory(), cache, run: Run::default(), acknowledged };
    stage.use_all().await;
    // The directory is new, and each entry is made durable individually.
    let directory = rig.root().join("durable");
    let cache = open(&directory, Durability::Always).await;
    let mut durable = Stage { rig: &rig, directory, cache, run: stage.run.clone(), acknowledged: BTreeMap::new() };
    durable.use_durable().await;
    disk.work();
    for stage in [&mut stage, &mut durable] {
        stage.recover().await;
        stage.check().await;
        stage.restart(&disk).await;
    }
    let Stage { mut run, .. } = durable;
    (run.seen, run.failed) = (disk.seen(), disk.failed());
    run
}

impl Stage<'_> {
    async fn step(&mut self, name: &'static str, outcome: Outcome) {
        self.run.outcomes.push((name, outcome));
        if let Ok(Health::Degraded(degradation)) = soon(self.cache.health()).await {
            self.run.reported.get_or_insert(degradation.reason);
        }
    }

    async fn use_all(&mut self) {
        let outcome = self.load().await;
        self.step("start", outcome).await;
        for (name, url) in [("get", "test:a"), ("get of a large entry", "test:large")] {
            let outcome = self.get(url).await;
            self.step(name, outcome).await;
        }
        let outcome = self.get_or_download("test:new").await;
        self.step("download", outcome).await;
        for (name, url, media) in [("put", "test:put", text("put")), ("put of a large entry", "test:large-put", noise(2, LARGE))] {
            let outcome = self.put(url, media).await;
            self.step(name, outcome).await;
        }
        for (name, url) in [("refresh", "test:c"), ("refresh of unchanged media", "test:refreshed")] {
            let outcome = self.refresh(url).await;
            self.step(name, outcome).await;
        }
        let outcome = self.remove("test:d").await;
        self.step("delete", outcome).await;
        let outcome = self.remove_matching().await;
        self.step("delete by prefix", outcome).await;
        let outcome = self.list().await;
        self.step("list", outcome).await;
        for name in ["save", "save again"] {
            let outcome = self.save().await;
            self.step(name, outcome).await;
            let _ = self.put("test:between", text("between")).await;
        }
        let outcome = self.put("test:last", noise(3, 4 * LARGE)).await;
        self.step("put that evicts", outcome).await;
    }

    async fn use_durable(&mut self) {
        let outcome = self.load().await;
        self.step("start in a new directory", outcome).await;
        let outcome = self.put("test:c", text("put")).await;
        self.step("durable put", outcome).await;
        let outcome = self.refresh("test:c").await;
        self.step("durable refresh", outcome).await;
    }

    async fn load(&self) -> Outcome {
        soon(async {
            loop {
                if self.cache.load_report().is_some() {
                    return Outcome::Done;
                }
                match self.cache.health().await {
                    // If the cache is degraded for another reason, it may still finish loading.
                    Ok(Health::Degraded(degradation))
                        if ["cannot list the directory", "has not responded"]
                            .iter()
                            .any(|words| degradation.reason.contains(words)) =>
                    {
                        return Outcome::NotLoaded;
                    }
                    Err(error) => panic!("{error}"),
                    _ => tokio::task::yield_now().await,
                }
            }
        })
        .await
    }

    /// Asserts that media has the expected bytes.
    async fn compare(&self, url: &str, media: &Media, expected: &[u8]) {
        assert!(body(media).await == expected, "wrong body of {url}");
    }

    async fn get(&mut self, url: &'static str) -> Outcome {
        match soon(self.cache.get(url)).await {
            Ok(Some(media)) => {
                let expected = self.acknowledged[url].clone().unwrap();
                self.compare(url, &media, &expected).await;
                Outcome::Hit
            }
            Ok(None) => Outcome::Miss,
            Err(CacheError::Unavailable(_)) => Outcome::Unavailable,
            Err(error) => panic!("{error}"),
        }
    }

    async fn get_or_download(&mut self, url: &'static str) -> Outcome {
        let media = soon(self.cache.get_or_download(url)).await.unwrap();
        self.compare(url, &media, &text(url)).await;
        assert_eq!(media.source, Source::Origin);
        match soon(self.cache.get(url)).await {
            Ok(Some(media)) => {
                self.compare(url, &media, &text(url)).await;
                self.acknowledged.insert(url, Some(text(url)));
                Outcome::Stored
            }
            _ => Outcome::NotStored,
        }
    }

    async fn put(&mut self, url: &'static str, media: Vec<u8>) -> Outcome {
        let blob = if media.len() < LARGE { Blob::from(media.clone()) } else { in_a_file(&media) };
        match soon(self.cache.put(url, blob, "image/png", "a.png")).await {
            Ok(PutOutcome { not_stored: None, .. }) => {
                self.acknowledged.insert(url, Some(media));
                Outcome::Stored
            }
            Ok(PutOutcome { not_stored: Some(StoreError::Disk(_) | StoreError::NotReady), .. }) => Outcome::NotStored,
            Err(CacheError::Unavailable(_)) => {
                // The media may still be stored later.
                self.acknowledged.remove(url);
                Outcome::Unavailable
            }
            other => panic!("{url}: {other:?}"),
        }
    }

    async fn refresh(&mut self, url: &'static str) -> Outcome {
        let is_new = url == "test:c";
        let media = if is_new { noise(4, 5_000) } else { b"new".to_vec() };
        self.rig.origin.serves(
            url,
            media_cache::FetchedMedia {
                validators: Validators { etag: Some("\"1\"".into()), ..Validators::default() },
                cache_control: CacheControl { max_age: Some(60), ..CacheControl::default() },
                ..fetched(media.clone(), "image/png", "a.png")
            },
        );
        match soon(self.cache.refresh(url)).await {
            Ok(outcome) => {
                self.compare(url, &outcome.media, &media).await;
                if outcome.not_stored.is_none() {
                    self.acknowledged.insert(url, Some(media));
                }
                match (outcome.not_stored, outcome.modified) {
                    (Some(_), _) => Outcome::NotStored,
                    (None, true) => Outcome::Stored,
                    (None, false) => Outcome::Unmodified,
                }
            }
            Err(CacheError::Unavailable(_)) => {
                self.acknowledged.remove(url);
                Outcome::Unavailable
            }
            Err(error) => panic!("{error}"),
        }
    }

    async fn remove(&mut self, url: &'static str) -> Outcome {
        match soon(self.cache.remove(url)).await {
            Ok(_) => {
                self.acknowledged.insert(url, None);
                Outcome::Done
            }
            Err(error) => {
                self.acknowledged.remove(url);
                failed(&error)
            }
        }
    }

    async fn remove_matching(&mut self) -> Outcome {
        match soon(self.cache.remove_matching(EntryFilter::Prefix("test:large-p".into()))).await {
            Ok(_) => {
                self.acknowledged.insert("test:large-put", None);
                Outcome::Done
            }
            Err(error) => {
                self.acknowledged.remove("test:large-put");
                failed(&error)
            }
        }
    }

    async fn list(&self) -> Outcome {
        match soon(self.cache.entries(None, 100)).await {
            Ok(page) => {
                let stored = stats(&self.cache).await.entries;
                if page.entries.len() as u64 == stored && self.cache.load_report().is_some() {
                    Outcome::Done
                } else {
                    Outcome::Incomplete
                }
            }
            Err(error) => failed(&error),
        }
    }

    async fn save(&self) -> Outcome {
        match soon(self.cache.checkpoint()).await {
            Ok(()) => Outcome::Done,
            Err(error) => failed(&error),
        }
    }

    /// Waits until the cache stores media again, now that nothing fails.
    async fn recover(&self) {
        recovered(&self.cache, &self.rig.clock).await;
    }

    /// Checks that all acknowledged changes are still in effect, except for entries that were evicted.
    async fn check(&mut self) {
        let evicted = stats(&self.cache).await.evictions + self.cache.load_report().unwrap().evicted;
        let mut missing = Vec::new();
        for (url, expected) in &self.acknowledged {
            match (soon(self.cache.get(url)).await.unwrap(), expected) {
                (Some(media), Some(expected)) => self.compare(url, &media, expected).await,
                (Some(_), None) => panic!("{url} was deleted, but is still served"),
                (None, Some(_)) => missing.push(*url),
                (None, None) => {}
            }
        }
        assert!(
            missing.len() as u64 <= evicted,
            "{missing:?} are missing, but only {evicted} entries were evicted; {:?}",
            self.run
        );
        self.check_files(&self.directory).await;
    }

    /// Checks that all files belong to entries, and that they are within the budget.
    async fn check_files(&self, directory: &Path) {
        let sizes = async || listed(&self.cache).await.iter().map(|entry| entry.disk_size).sum::<u64>();
        // A write that hung may still be in progress.
        let written = async {
            while stats(&self.cache).await.disk_bytes != sizes().await {
                tokio::task::yield_now().await;
            }
        };
        soon(written).await;
        let ((used, _), listed) = (disk_usage(directory), sizes().await);
        assert!(used == listed && used <= BUDGET, "{used} bytes are used, and the entries account for {listed}; {:?}", self.run);
    }

    /// Checks that the same holds after a crash and after a restart.
    async fn restart(&mut self, disk: &Arc<FaultyDisk>) {
        let crashed = self.directory.with_extension("crashed");
        copy_files(&self.directory, &crashed);
        soon(self.cache.close()).await.unwrap();
        for directory in [crashed, self.directory.clone()] {
            let builder = self.rig.builder().directory(&directory).max_disk_bytes(bytes(BUDGET)).file_faults(disk.clone());
            self.cache = builder.durability(Durability::Always).open().await.unwrap();
            for (url, expected) in self.acknowledged.clone() {
                match (self.cache.get(url).await.unwrap(), expected) {
                    (Some(media), Some(expected)) => self.compare(url, &media, &expected).await,
                    (Some(_), None) => panic!("{url} was deleted, but is still served"),
                    (None, _) => {}
                }
            }
            self.check_files(&directory).await;
            assert!(matches!(self.put("test:after", text("after")).await, Outcome::Stored));
            soon(self.cache.close()).await.unwrap();
        }
    }
}

fn failed(error: &CacheError) -> Outcome {
    match error {
        CacheError::Unavailable(_) => Outcome::Unavailable,
        CacheError::Store(_) => Outcome::Failed,
        other => panic!("{other}"),
    }
}

/// Bytes in an unnamed file.
fn in_a_file(media: &[u8]) -> Blob {
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, media, 0).unwrap();
    Blob::from_file(Arc::new(file)).unwrap()
}
