//! `media-cache serve`.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures::future::join_all;
use media_cache::policy::RememberedPolicy;
use media_cache::{Builder, MediaCache, OpenError, PolicySpec, PreparedCache};
use media_cache_http_downloader::ConcurrencyLimiter;
use media_cache_server::logs::Logged;
use media_cache_server::metrics::Metrics;
use media_cache_server::{ClientLimits, Connections, Extras, Pseudonym, Service, serve_connections};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::allocator;
use crate::checks::{check_directory, check_trace, open_trace};
use crate::config::Settings;
use crate::connections::ConnectionLimits;
use crate::download_queue::DownloadLimits;
use crate::durability::DurabilityOption;
use crate::failure_memory::FailureMemory;
use crate::ingest::Ingest;
use crate::listen_address::ListenAddress;
use crate::listeners::{ListenerAccess, Listeners};
use crate::logging::Logging;
use crate::memory::Memory;
use crate::metrics::MetricsOptions;
use crate::output::{self, OutputError};
use crate::policy::CompileLimits;
use crate::sandbox::Sandbox;
use crate::storage::{DEFAULT_MAX_SIZE_MB, Storage, UnusablePolicy};

/// How long requests wait for the directory to be loaded. A larger one is served while it is being loaded.
const SMALL_DIRECTORY: Duration = Duration::from_millis(200);

/// Connections at once to the listener for administration. The files for them are among those that are kept for everything else.
const MAX_ADMIN_CONNECTIONS: NonZeroUsize = match NonZeroUsize::new(64) {
    Some(operators) => operators,
    None => NonZeroUsize::MIN,
};

/// What `serve` is told.
#[derive(Args)]
pub struct Serve {
    /// Where to listen: an address or `localhost`, and a port; `:8080` is all addresses, and port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,
    /// The budget on disk, in MiB; both files of an entry count, in blocks of 4 KiB
    #[arg(long, value_name = "MB", help_heading = "Storage", default_value_t = NonZeroU64::new(DEFAULT_MAX_SIZE_MB).unwrap_or(NonZeroU64::MIN))]
    max_size_mb: NonZeroU64,
    /// How long clients have, after SIGTERM, to take what they asked for
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace_seconds: u64,
    /// A file to which every request for media is added, with its URL as a hash, for `media-cache simulate`
    #[arg(long, value_name = "FILE")]
    record_trace: Option<PathBuf>,
    #[command(flatten)]
    listeners: Listeners,
    #[command(flatten)]
    storage: Storage,
    #[command(flatten)]
    durability: DurabilityOption,
    #[command(flatten)]
    sandbox: Sandbox,
    #[command(flatten)]
    compile_limits: CompileLimits,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    ingest: Ingest,
    #[command(flatten)]
    downloads: DownloadLimits,
    #[command(flatten)]
    failure_memory: FailureMemory,
    #[command(flatten)]
    connections: ConnectionLimits,
    #[command(flatten)]
    logging: Logging,
    #[command(flatten)]
    metrics: MetricsOptions,
}

/// What the cache of a service shares with the rest of it.
struct Shared<'a> {
    own: &'a Pseudonym,
    metrics: &'a Metrics,
    limiter: &'a ConcurrencyLimiter,
}

impl Serve {
    /// Serves until it is told to stop.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        self.logging.start();
        settings.log();
        // Signals count from here on, so that one that comes while the cache is loading is not lost.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listen = self.listen.resolve().await?;
        let ListenerAccess { main, admin } = self.listeners.access(&listen).await?;
        let pseudonym = self.listeners.pseudonym();
        let limits = self.connections.limits(self.memory.items().into())?;
        let admin_limits = ClientLimits { max_connections: limits.max_connections.min(MAX_ADMIN_CONNECTIONS), ..limits.clone() };
        let listener = listen.listen().await?;
        let address = listener.local_addr()?;
        let mut announcement = format!("listening on http://{address}\n");
        let mut endpoints = vec![(listener, main, limits)];
        if let Some((admin, access)) = admin {
            let listener = admin.listen().await?;
            let address = listener.local_addr()?;
            announcement += &format!("administration on http://{address}\n");
            endpoints.iter_mut().for_each(|(_, access, _)| access.administration = Some(address));
            endpoints.push((listener, access, admin_limits));
        }
        let recorder = self.record_trace.as_deref().map(open_trace).transpose()?;
        let remembered = RememberedPolicy::new(&self.storage.dir, self.storage.policy.clone());
        // Who reads the address may rely on it that the service will come up, unless what is stored cannot be read.
        let metrics = self.metrics.metrics();
        let limiter = self.downloads.limiter();
        let prepared = self.prepare(&remembered, &Shared { own: &pseudonym, metrics: &metrics, limiter: &limiter })?;
        match output::raw(announcement.as_bytes()) {
            // Somebody who does not read the address can be served all the same.
            Ok(()) | Err(OutputError::Closed) => {}
            Err(error) => return Err(error.into()),
        }

        let (loaded, loading) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let connections = Connections::default();
        metrics.watch_connections(connections.clone());
        metrics.watch_queue(limiter.clone());
        let (pseudonym, request_log) = (Some(pseudonym), self.logging.of_requests());
        let extras = Extras { remembered: Some(remembered.clone()), recorder, pseudonym, metrics, request_log };
        let service = Service::new(loading, self.ingest.max_body_bytes(), extras);
        let servers = endpoints.into_iter().map(|(listener, access, limits)| {
            serve_connections(listener, service.clone().router(access), limits, connections.clone(), stopped.clone())
        });
        let mut server = tokio::spawn(join_all(servers));

        let cache = tokio::select! {
            cache = prepared.start() => cache?,
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
            _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
        };
        remembered.forget_the_outdated().context("cannot forget the policy that was chosen before")?;
        tokio::spawn(log_loaded(cache.clone()));
        let policy = cache.policy();
        let policy = format!("{} {}", policy.name, policy.version);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, policy = policy.as_str(), "serving");
        // A small directory is loaded before the first request is answered.
        let _ = tokio::time::timeout(SMALL_DIRECTORY, cache.loaded()).await;
        loaded.send_replace(Some(cache.clone()));
        tokio::spawn(allocator::tick());

        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("finishing what is under way");
        stop.send_replace(true);
        let finished = async {
            match tokio::time::timeout(Duration::from_secs(self.grace_seconds), &mut server).await {
                Ok(served) => drop(served?),
                Err(_) => {
                    // A client that never finished its request, or never takes its answer, must not hold up the end.
                    let open = connections.stats().open;
                    tracing::warn!("{open} connections are still open after {} s, and are closed", self.grace_seconds);
                    server.abort();
                    // Nor must a download that nobody waits for any more.
                    limiter.close();
                }
            }
            cache.close().await?;
            anyhow::Ok(())
        };
        tokio::select! {
            finished = finished => finished?,
            _ = terminate.recv() => anyhow::bail!("stopped before everything was finished"),
            _ = interrupt.recv() => anyhow::bail!("stopped before everything was finished"),
        }
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }

    /// A cache that has its directory, with the policy that was chosen while the service ran before, if that can still be had.
    fn prepare(&self, remembered: &RememberedPolicy, shared: &Shared<'_>) -> anyhow::Result<PreparedCache> {
        if let Some(chosen) = remembered.recall() {
            let why = match self.prepare_with(&chosen, shared) {
                Ok(cache) => {
                    tracing::info!(
                        "the policy is {chosen}, which was chosen while the service ran; {} is not",
                        self.storage.policy
                    );
                    return Ok(cache);
                }
                Err(error) if concerns_policy(&error) => error,
                Err(error) => return Err(error),
            };
            tracing::error!(
                "the policy that was chosen before, {chosen}, cannot be used; it is {} now: {why:#}",
                self.storage.policy
            );
        }
        let cache = self.prepare_with(&self.storage.policy, shared)?;
        tracing::info!("the policy is {}", self.storage.policy);
        Ok(cache)
    }

    fn prepare_with(&self, policy: &PolicySpec, shared: &Shared<'_>) -> anyhow::Result<PreparedCache> {
        let downloader = self.ingest.downloader(shared.limiter.clone(), None, Some(shared.own.to_string()))?;
        let downloader = Logged::new(Arc::new(downloader), self.logging.of_requests().urls);
        let builder = self.configure(policy)?.downloader(shared.metrics.measured(Arc::new(downloader)));
        let transcoder = Logged::new(self.ingest.transcoder(), self.logging.of_requests().urls);
        let transcoder = shared.metrics.measured(Arc::new(transcoder));
        Ok(builder.transcoder(transcoder).prepare()?)
    }

    fn configure(&self, policy: &PolicySpec) -> anyhow::Result<Builder> {
        let builder = self.memory.configure(self.storage.builder_with(self.max_size_mb, policy)?);
        let builder = builder.policy_limits(self.sandbox.limits()).policy_compiler(self.compile_limits.compiler());
        Ok(self.failure_memory.configure(self.durability.configure(builder)))
    }

    /// What a service would stumble over at its start, as far as that shows without listening and without touching the directory.
    pub async fn problems(&self) -> Vec<anyhow::Error> {
        let directory = check_directory(&self.storage.dir).err();
        let trace = self.record_trace.as_deref().and_then(|trace| check_trace(trace).err());
        let clients = self.connections.limits(self.memory.items().into()).err();
        let converter = self.ingest.check_converter().await.err();
        let cache = self.try_out().await.err();
        let mut problems = self.listeners.problems(&self.listen).await;
        problems.extend([directory, trace, clients, converter, cache].into_iter().flatten());
        problems
    }

    /// Opens a cache of nothing in a directory that is soon forgotten, which takes the component, the policy and its options.
    async fn try_out(&self) -> anyhow::Result<()> {
        let empty = tempfile::tempdir().context("cannot make a directory to try the options in")?;
        let downloader = self.ingest.downloader(self.downloads.limiter(), None, Some(self.listeners.pseudonym().to_string()))?;
        let cache = self.configure(&self.storage.policy)?.downloader(downloader);
        let cache = cache.shared_transcoder(self.ingest.transcoder()).directory(empty.path()).open().await?;
        Ok(cache.close().await?)
    }
}

/// Whether a cache could be opened with another policy.
fn concerns_policy(error: &anyhow::Error) -> bool {
    error.is::<UnusablePolicy>() || matches!(error.downcast_ref(), Some(OpenError::Policy { .. }))
}

/// Logs what was found, once the directory is loaded.
async fn log_loaded(cache: MediaCache) {
    let directory = cache.directory().to_owned();
    // It may be closed first, and must not be kept open by this.
    let Ok(report) = cache.loaded().await else { return };
    tracing::info!(
        entries = report.entries,
        from_index = report.from_index,
        leftovers = report.leftovers,
        damaged = report.damaged,
        evicted = report.evicted,
        "{} is loaded",
        directory.display()
    );
}
