//! Several processes on one directory, whose owner is killed again and again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use media_cache::{DirectoryLock, LockError};
use media_cache_test_support::soon::eventually;

use crate::shared::{open, text};
use crate::worker::{DIRECTORY, content, records};

/// Processes that use a directory.
struct Workers {
    directory: PathBuf,
    processes: Vec<Child>,
}

impl Workers {
    fn new(root: &Path) -> Self {
        Self { directory: root.join("cache"), processes: Vec::new() }
    }

    /// Starts a process and waits until it uses the directory.
    async fn start(&mut self) {
        let ready = self.lines("ready").len();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "worker::worker", "--nocapture", "--test-threads=1"]).env(DIRECTORY, &self.directory);
        self.processes.push(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
        eventually(|| self.lines("ready").len() > ready).await;
    }

    /// The lines that the processes have recorded.
    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(records(&self.directory, name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The process that owns the directory, if there is one.
    fn owner(&self) -> Option<u32> {
        match DirectoryLock::acquire(&self.directory) {
            Err(LockError::InUse { holder, .. }) => holder,
            _ => None,
        }
    }

    /// Kills the owner, and waits until another process has taken over. Returns how long that took.
    async fn kill_owner(&mut self) -> Duration {
        let mut owner = None;
        eventually(|| {
            owner = self.owner();
            owner.is_some_and(|owner| self.processes.iter().any(|process| process.id() == owner))
        })
        .await;
        let at = self.processes.iter().position(|process| Some(process.id()) == owner).unwrap();
        let mut killed = self.processes.swap_remove(at);
        let since = Instant::now();
        killed.kill().unwrap();
        killed.wait().unwrap();
        let puts = self.lines("puts").len();
        // The next owner acknowledges puts.
        eventually(|| self.lines("puts").len() > puts + 4).await;
        since.elapsed()
    }

    /// Stops all processes, and waits until they have ended.
    async fn stop(&mut self) {
        for process in &mut self.processes {
            drop(process.stdin.take());
        }
        for process in &mut self.processes {
            let mut ended = None;
            eventually(|| {
                ended = process.try_wait().unwrap();
                ended.is_some()
            })
            .await;
            assert!(ended.unwrap().success());
        }
        self.processes.clear();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Runs processes under load, kills the owner this many times, and checks that nothing was wrong, lost or fetched too often.
async fn run(processes: usize, kills: usize) {
    let root = tempfile::tempdir().unwrap();
    let mut workers = Workers::new(root.path());
    for _ in 0..processes {
        workers.start().await;
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..kills {
        slowest = slowest.max(workers.kill_owner().await);
        workers.start().await;
    }
    workers.stop().await;
    println!("{processes} processes, {kills} kills: the slowest takeover took {slowest:?}");
    assert_eq!(workers.lines("failures"), Vec::<String>::new());
    let mut downloads = HashMap::<String, usize>::new();
    for line in workers.lines("downloads") {
        *downloads.entry(line.split(' ').next().unwrap().to_owned()).or_default() += 1;
    }
    let (most, puts) = (downloads.values().max().copied().unwrap_or_default(), workers.lines("puts"));
    assert!(most <= 1 + kills, "a URL was downloaded {most} times");
    let repeated: usize = downloads.values().map(|count| count - 1).sum();
    println!("{} URLs, {repeated} of them downloaded again; {} puts", downloads.len(), puts.len());
    let cache = open(&workers.directory).await;
    for url in puts {
        let media = cache.get(&url).await.unwrap().unwrap_or_else(|| panic!("the acknowledged put of {url} was lost"));
        assert!(text(&media).await == content(&url));
    }
}

#[tokio::test]
async fn two_processes_lose_nothing_when_the_owner_is_killed() {
    run(2, 5).await;
}

#[tokio::test]
async fn ten_processes_lose_nothing_when_the_owner_is_killed() {
    run(10, 5).await;
}
