//! Each round starts a service on the directory from the previous round, compares everything with the model, lets clients use the service,
//! and ends it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use media_cache_test_support::binary::binary;
use media_cache_test_support::http_client::http_client_without_pool;
use media_cache_test_support::http_origin::HttpOrigin;
use media_cache_test_support::random::Random;
use media_cache_test_support::service_process::{Service, Signal};
use media_cache_test_support::soon::soon;
use tokio::sync::Notify;

use crate::clients::Stage;
use crate::damage::{NOTES, damage};
use crate::disk::{Disk, Sampler};
use crate::findings::{Fault, Findings};
use crate::model::{Kind, Subject};

/// A budget that is never reached, and one that is too small, in MiB.
const BUDGETS: [u64; 2] = [128, 1];

const MIB: u64 = 1 << 20;

const PUT: u32 = 36;
const FROM_ORIGIN: u32 = 18;
const CLIENTS: u64 = 6;

/// The maximum time for clients in a round, in milliseconds.
const ROUND: u64 = 500;

/// The maximum number of acknowledged changes in a round that ends right after such a change.
const CHANGES: u64 = 20;

/// The maximum time before a starting service is killed, in milliseconds.
const START: u64 = 900;

/// How often services were killed and stopped.
#[derive(Default, Debug)]
pub struct Tally {
    pub kills: u64,
    pub stops: u64,
}

/// A directory and its model, for any number of rounds.
pub struct Campaign {
    // Dropped before the disk that it measures.
    sampler: Sampler,
    disk: Disk,
    origin: Arc<HttpOrigin>,
    subjects: Arc<Vec<Subject>>,
    findings: Arc<Findings>,
    /// The cache component to use instead of the built-in one.
    component: Option<PathBuf>,
    random: Random,
    pub tally: Tally,
}

impl Campaign {
    pub async fn new(seed: u64, component: Option<PathBuf>) -> Self {
        let (disk, origin) = (Disk::create(), HttpOrigin::start().await);
        let put = (0..PUT).map(|number| Subject::new(origin.url(&format!("/put/{number}")), Kind::Put, number));
        let from_origin =
            (PUT..PUT + FROM_ORIGIN).map(|number| Subject::new(origin.url(&format!("/{number}")), Kind::Origin, number));
        let subjects: Vec<Subject> = put.chain(from_origin).collect();
        for subject in subjects.iter().filter(|subject| subject.kind == Kind::Origin) {
            subject.serve_at(&origin, subject.next_version());
        }
        Self {
            sampler: Sampler::start(&disk),
            disk,
            origin: Arc::new(origin),
            subjects: Arc::new(subjects),
            findings: Arc::default(),
            component,
            random: Random(seed),
            tally: Tally::default(),
        }
    }

    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// How many times the disk usage was compared with the budget.
    pub fn samples(&self) -> u64 {
        self.sampler.samples()
    }

    /// Runs one round.
    pub async fn round(&mut self, number: u64) {
        self.findings.begin_round(number);
        if self.random.below(10) == 0 {
            self.kill_while_starting(BUDGETS[0]);
        }
        let evicts = self.random.below(4) == 0;
        let budget = BUDGETS[usize::from(evicts)];
        if evicts {
            self.subjects.iter().for_each(|subject| subject.may_become(None));
        }
        let arguments = self.arguments(budget);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let service = Service::start(&self.disk.cache(), &arguments).await;
        let stage = self.stage(&service, evicts);
        self.verify(&stage).await;
        self.look_for_orphans(&service).await;
        self.sampler.enforce(budget * MIB + self.foreign_bytes());

        let clients = (0..CLIENTS).map(|_| tokio::spawn(Arc::clone(&stage).client(Random(self.random.number()))));
        let clients = join_all(clients.collect::<Vec<_>>());
        // The service ends at a random moment, or right after a change was acknowledged.
        let moment = tokio::time::sleep(Duration::from_millis(self.random.below(ROUND)));
        if self.random.below(2) == 0 {
            moment.await;
        } else {
            let count = self.random.below(CHANGES) + 1;
            soon(stage.wait_for_changes(count)).await;
        }
        if self.random.below(4) == 0 {
            self.stop(service, &stage).await;
        } else {
            service.kill().await;
            self.tally.kills += 1;
        }
        stage.stopped.store(true, std::sync::atomic::Ordering::SeqCst);
        for client in soon(clients).await {
            client.unwrap();
        }
        let excess = self.sampler.relax();
        if excess > 0 {
            self.findings
                .report(Fault::OverBudget, &format!("{excess} bytes more than {budget} MiB plus the files of other programs"));
        }
        self.subjects.iter().for_each(Subject::forget_the_past);
        if self.random.below(2) == 0 {
            damage(&self.disk.cache(), &self.disk.outside(""), &self.subjects, &mut self.random);
        }
    }

    fn arguments(&self, budget: u64) -> Vec<String> {
        let mut arguments = vec!["--max-size-mb".into(), budget.to_string()];
        if let Some(component) = &self.component {
            arguments.extend(["--component".into(), component.to_str().unwrap().into()]);
        }
        arguments
    }

    fn stage(&self, service: &Service, evicts: bool) -> Arc<Stage> {
        Arc::new(Stage {
            subjects: Arc::clone(&self.subjects),
            origin: Arc::clone(&self.origin),
            findings: Arc::clone(&self.findings),
            client: http_client_without_pool(),
            base: format!("http://{}", service.address()),
            directory: self.disk.cache(),
            evicts,
            stopped: false.into(),
            acknowledged: 0.into(),
            changed: Notify::new(),
        })
    }

    /// Kills a service before or shortly after it starts to listen.
    fn kill_while_starting(&mut self, budget: u64) {
        let mut command = binary(["serve", "--listen", "127.0.0.1:0", "--dir"]);
        command.arg(self.disk.cache()).args(self.arguments(budget));
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(self.random.below(START)));
        child.kill().unwrap();
        child.wait().unwrap();
        self.tally.kills += 1;
    }

    /// Compares all URLs with the model concurrently, before any client starts.
    async fn verify(&self, stage: &Arc<Stage>) {
        join_all(self.subjects.iter().map(async |subject| {
            if let Some(observed) = stage.observe(subject).await
                && !stage.evicts
            {
                // A change in progress when the last service ended may or may not have taken effect.
                subject.is([observed]);
            }
        }))
        .await;
    }

    /// Checks that each file belongs to an entry or to another program after a start.
    async fn look_for_orphans(&self, service: &Service) {
        // The response arrives once everything is loaded.
        let stats = service.stats().await;
        self.findings.evict(stats["load"]["evicted"].as_u64().unwrap_or(0));
        let directory = self.disk.cache();
        let names = |directory: &PathBuf| -> Vec<String> {
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let names = names(&directory);
        let has = |name: String| names.contains(&name);
        for name in &names {
            let is_whole = match name.split_once('.') {
                Some((stem, "dat")) if stem.len() == 64 => has(format!("{stem}.json")),
                Some((stem, "json")) if stem.len() == 64 => has(format!("{stem}.dat")),
                Some((stem, _)) if stem.len() == 64 => false,
                _ => true,
            };
            if !is_whole {
                self.findings.report(Fault::Orphan, name);
            }
        }
        let notes = directory.join("notes.txt");
        if notes.exists() && fs::read(&notes).unwrap() != NOTES {
            self.findings.report(Fault::Broken, "a file of another program was changed");
        }
    }

    /// The disk usage of other programs' files.
    fn foreign_bytes(&self) -> u64 {
        fs::metadata(self.disk.cache().join("notes.txt")).map_or(0, |notes| notes.blocks() * 512)
    }

    /// Stops a service gracefully, so that it completes the requests of clients.
    async fn stop(&mut self, service: Service, stage: &Arc<Stage>) {
        let stats = service.stats().await;
        self.findings.evict(stats["storage"]["evictions"].as_u64().unwrap_or(0));
        service.signal(Signal::TERM);
        stage.stopped.store(true, std::sync::atomic::Ordering::SeqCst);
        let status = service.wait().await;
        if !status.success() {
            self.findings.report(Fault::Broken, &format!("the service stopped with {status}"));
        }
        self.tally.stops += 1;
    }
}
