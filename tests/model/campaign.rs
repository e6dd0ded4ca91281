//! A cache, the operations on it, and the conditions that must hold.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use media_cache::{Builder, MediaCache, Stats};
use media_cache_test_support::cache_directory::{copy_files, disk_usage, files_exist};
use media_cache_test_support::cache_rig::{CacheRig, bytes};
use media_cache_test_support::cache_state::{entries, recovered};
use media_cache_test_support::file_faults::{Fault, FaultyDisk};
use media_cache_test_support::random::Random;
use media_cache_test_support::soon::soon;
use rustix::io::Errno;

use crate::subject::Subject;

/// A budget that is never reached, and one that is too small, in bytes.
const BUDGETS: [u64; 2] = [64 << 20, 400 << 10];

/// The number of URLs whose media is put. As many others have media that is downloaded.
const SUBJECTS: u32 = 28;

/// The maximum number of operations during which the disk fails.
const FAULTY: u64 = 60;

/// The maximum time between two operations, in milliseconds.
const PAUSE: u64 = 100;

const ERRORS: [Errno; 4] = [Errno::IO, Errno::NOSPC, Errno::ROFS, Errno::MFILE];

/// The summary that a run prints.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub operations: u64,
    pub restarts: u64,
    pub kills: u64,
    pub faults: usize,
    pub swaps: u64,
    pub component_swaps: u64,
    pub damaged: u64,
    pub evicted: u64,
    pub missing: u64,
}

/// A cache, its directory and its model.
pub struct Campaign {
    pub random: Random,
    pub rig: CacheRig,
    pub cache: MediaCache,
    pub subjects: Vec<Subject>,
    pub tally: Tally,
    pub disk: Arc<FaultyDisk>,
    /// The number of further operations for which the disk fails.
    pub faulty: u64,
    /// Whether files were damaged since the start. Requests that detect damage are counted more than once.
    pub has_damage: bool,
    directory: PathBuf,
    evicts: bool,
    seed: u64,
    /// Requests since the counters were last read.
    pub requests: u64,
    /// Hits and misses when the counters were last read.
    counted: u64,
    /// Evictions that are missing from the counters, because a restart lost them.
    evicted_before: u64,
}

impl Campaign {
    pub async fn begin(seed: u64) -> Self {
        let (rig, disk) = (CacheRig::create(), Arc::new(FaultyDisk::default()));
        let directory = rig.root().join("0");
        let subjects: Vec<Subject> = (0..2 * SUBJECTS).map(|number| Subject::new(number, number >= SUBJECTS)).collect();
        for subject in subjects.iter().filter(|subject| subject.has_origin) {
            rig.origin.serves_bytes(&subject.url, subject.media(subject.version));
        }
        let cache = configure(&rig, &directory, &disk, false).open().await.unwrap();
        Self {
            random: Random(seed),
            rig,
            cache,
            subjects,
            tally: Tally::default(),
            disk,
            faulty: 0,
            has_damage: false,
            directory,
            evicts: false,
            seed,
            requests: 0,
            counted: 0,
            evicted_before: 0,
        }
    }

    /// The context for the message of a failure.
    pub fn context(&self) -> String {
        let Self { seed, tally, evicts, faulty, .. } = self;
        format!("operation {} of seed {seed}, evicts: {evicts}, faulty: {faulty}", tally.operations)
    }

    /// Runs one operation.
    pub async fn operate(&mut self) {
        self.tally.operations += 1;
        self.rig.clock.advance(Duration::from_millis(self.random.below(PAUSE)));
        self.random_operation().await;
        if self.faulty > 0 {
            self.faulty -= 1;
            if self.faulty == 0 {
                self.recover().await;
                self.verify().await;
            }
        }
    }

    /// Makes the disk fail: either one kind of operation always, or all kinds at random.
    pub fn begin_faults(&mut self) {
        self.faulty = 1 + self.random.below(FAULTY);
        let errno = ERRORS[self.random.below(ERRORS.len() as u64) as usize];
        let seen: Vec<String> = self.disk.seen().into_iter().collect();
        let one = seen[self.random.below(seen.len() as u64) as usize].clone();
        let (always, mut random) = (self.random.below(2) == 0, Random(self.random.number()));
        self.disk.fail(move |name| {
            let fails = if always { name == one } else { random.below(10) == 0 };
            fails.then_some(Fault::Error(errno))
        });
    }

    /// Makes the disk work again, and waits until the cache has recovered.
    pub async fn recover(&mut self) {
        self.faulty = 0;
        self.disk.work();
        recovered(&self.cache, &self.rig.clock).await;
    }

    /// Compares everything with the model. Ends the faults first.
    pub async fn verify(&mut self) {
        if self.faulty > 0 {
            self.recover().await;
        }
        for number in 0..self.subjects.len() {
            self.get(number).await;
        }
        let stats = self.stats().await;
        let listed = entries(&self.cache).await;
        let size: u64 = listed.iter().map(|entry| entry.disk_size).sum();
        let ((used, files), context) = (disk_usage(&self.directory), self.context());
        for subject in &self.subjects {
            let exist = files_exist(&self.directory, &subject.url);
            let is_listed = listed.iter().any(|entry| entry.url == subject.url);
            assert_eq!(exist, (is_listed, is_listed), "files of {subject:?}, {context}");
        }
        assert_eq!((used, files as u64), (size, 2 * listed.len() as u64), "files and entries, {context}");
        assert_eq!((stats.disk_bytes, stats.entries), (size, listed.len() as u64), "counters and entries, {context}");
        assert!(used <= BUDGETS[usize::from(self.evicts)], "{used} bytes are used, {context}");
        self.compare_counters(&stats);
    }

    /// Checks that every request was counted as a hit or a miss.
    fn compare_counters(&mut self, stats: &Stats) {
        if !self.has_damage {
            assert_eq!(stats.hits + stats.misses, self.counted + self.requests, "hits and misses, {}", self.context());
        }
        (self.counted, self.requests) = (stats.hits + stats.misses, 0);
    }

    pub async fn stats(&self) -> Stats {
        let status = self.cache.status().await.unwrap();
        assert_eq!((status.restarts, status.policy.fallbacks), (0, 0), "a component failed, {}", self.context());
        status.cache
    }

    /// Checks that there were enough evictions to explain a missing entry.
    pub async fn miss(&mut self, number: usize) {
        self.tally.missing += 1;
        self.tally.evicted = self.evicted_before + self.stats().await.evictions;
        let Tally { missing, evicted, .. } = self.tally;
        let subject = &self.subjects[number];
        assert!(missing <= evicted, "{subject:?} is lost, {missing} are missing, {evicted} were evicted, {}", self.context());
    }

    /// Closes or kills the cache, and opens the directory again, possibly with another budget or while the disk fails.
    pub async fn restart(&mut self) {
        let is_kill = self.random.below(2) == 0;
        let counts = self.stats().await;
        if is_kill {
            // Only the files as they are now remain.
            let to = self.rig.root().join(self.tally.operations.to_string());
            copy_files(&self.directory, &to);
            let _ = self.cache.close().await;
            std::fs::remove_dir_all(std::mem::replace(&mut self.directory, to)).unwrap();
            self.tally.kills += 1;
        } else {
            let _ = self.cache.close().await;
            self.tally.restarts += 1;
        }
        for subject in &mut self.subjects {
            subject.note(format!("{}: {}", self.tally.operations, if is_kill { "killed" } else { "closed" }));
        }
        let was_faulty = self.faulty > 0;
        self.evicts = self.random.below(3) == 0;
        let builder = configure(&self.rig, &self.directory, &self.disk, self.evicts);
        self.cache = builder.prepare().unwrap().start().await.unwrap();
        if !was_faulty {
            soon(self.cache.loaded()).await.unwrap();
        }
        // The latest changes to the counters, including evictions, may be lost.
        let now = self.stats().await;
        let lost = counts.evictions.saturating_sub(now.evictions);
        self.evicted_before += lost;
        if !(is_kill || was_faulty || self.has_damage) {
            self.compare_counters(&now);
        }
        (self.counted, self.requests, self.has_damage) = (now.hits + now.misses, 0, was_faulty);
        if !was_faulty {
            self.verify().await;
        }
    }

    /// The media file of an entry.
    pub fn media_file(&self, number: usize) -> PathBuf {
        media_cache_test_support::cache_directory::media_file(&self.directory, &self.subjects[number].url)
    }
}

fn configure(rig: &CacheRig, directory: &std::path::Path, disk: &Arc<FaultyDisk>, evicts: bool) -> Builder {
    let builder = rig.builder().directory(directory).max_silence(Duration::from_secs(60)).file_faults(disk.clone());
    builder.max_disk_bytes(bytes(BUDGETS[usize::from(evicts)])).max_memory_items(8).max_memory_bytes(8 * 32_000)
}
