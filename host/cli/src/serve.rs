//! `media-cache serve`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use futures::future::join_all;
use media_cache::policy::RequestObserver;
use media_cache::{
    Builder, CacheComponent, DirectoryLock, Engine, LockError, MediaCache, OpenError, PolicySpec, PreparedCache, Spool,
};
use media_cache_attach::{Claim, Listener};
use media_cache_http_downloader::{ConcurrencyLimiter, OriginConnections};
use media_cache_server::logs::{Logged, SharedRequestLog};
use media_cache_server::metrics::Metrics;
use media_cache_server::{ClientLimits, Connections, Extras, Service, SharedAccess, serve_connections};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::allocator;
use crate::announcement::announce;
use crate::checks::{check_directory, check_trace, open_trace};
use crate::config::Settings;
use crate::connections::ConnectionLimits;
use crate::directory_options;
use crate::disk_space::DiskSpace;
use crate::download_queue::DownloadLimits;
use crate::durability::DurabilityOption;
use crate::engine::engine;
use crate::failure_memory::FailureMemory;
use crate::file_budget::{FileBudget, FileDemand, MAX_ADMIN_CONNECTIONS};
use crate::ingest::Ingest;
use crate::integrity_check::IntegrityCheck;
use crate::listen_address::{ListenAddress, ResolvedAddress};
use crate::listeners::{ListenerAccess, Listeners};
use crate::logging::{Log, Logging};
use crate::memory::Memory;
use crate::metrics::MetricsOptions;
use crate::notify::{Notifier, runs_tasks};
use crate::observers::combined;
use crate::open_file_limit::allowed_files;
use crate::passed_sockets::PassedSockets;
use crate::policy::{CompileLimits, LimitedSuite};
use crate::policy_option::PolicyOption;
use crate::reload::{ReloadableOptions, ReloadableParts, Reloader};
use crate::remembered::{Components, Remembered, StartComponent};
use crate::replaceable_downloader::ReplaceableDownloader;
use crate::sandbox::Sandbox;
use crate::shadows::{RunningShadows, ShadowPolicies};
use crate::shutdown::Running;
use crate::shutdown_times::ShutdownTimes;
use crate::signals::Signals;
use crate::small_directory;
use crate::storage::{Storage, UnusablePolicy};
use crate::tier::{ServiceTier, TierOption};
use crate::tls::{TlsOptions, listener_url};
use crate::traces::{TraceOptions, Traces};

/// How long a directory that this service has claimed may be in use.
const MAX_CONTENTION: Duration = Duration::from_secs(3);

/// The pause between two attempts to lock such a directory.
const CONTENTION_PAUSE: Duration = Duration::from_millis(20);

/// How long a service that stops tries to send the remaining spans, if its time limit allows that.
const MAX_FLUSH: Duration = Duration::from_secs(3);

/// The time before the limit of a shutdown in which no more spans are sent.
const EXIT_TIME: Duration = Duration::from_millis(500);

/// The options of `serve`.
#[derive(Args)]
pub struct Serve {
    /// The address to listen on: an address or `localhost`, and a port; `:8080` listens on all addresses, and port 0 selects a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,
    #[command(flatten)]
    storage: Storage,
    #[command(flatten)]
    disk_space: DiskSpace,
    #[command(flatten)]
    durability: DurabilityOption,
    #[command(flatten)]
    integrity_check: IntegrityCheck,
    #[command(flatten)]
    shutdown: ShutdownTimes,
    /// A file to which every request for media is appended, with a hash of its URL, for `media-cache simulate`
    #[arg(long, value_name = "FILE")]
    record_trace: Option<PathBuf>,
    #[command(flatten)]
    listeners: Listeners,
    #[command(flatten)]
    tls: TlsOptions,
    #[command(flatten)]
    tier: TierOption,
    #[command(flatten)]
    shadows: ShadowPolicies,
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
    #[command(flatten)]
    traces: TraceOptions,
}

/// What exists before the service starts.
struct Process<'a> {
    log: Log,
    times: watch::Sender<ShutdownTimes>,
    signals: &'a mut Signals,
    traces: Option<&'a Traces>,
}

/// Parts that the cache shares with the rest of the service.
struct Shared<'a> {
    files: FileBudget,
    downloader: &'a ReplaceableDownloader,
    limiter: &'a ConcurrencyLimiter,
    spool: &'a Arc<Spool>,
    metrics: &'a Metrics,
    request_log: &'a SharedRequestLog,
    tier: Option<&'a ServiceTier>,
    /// Observes the requests to the cache.
    observer: Option<Arc<dyn RequestObserver>>,
}

impl Serve {
    /// Serves until a signal stops it, at the addresses of `sockets`, or else at those of the options. `read_options` returns the current
    /// options, with their settings.
    pub async fn run(
        self,
        settings: Settings,
        sockets: PassedSockets,
        read_options: fn() -> anyhow::Result<(Self, Settings)>,
    ) -> anyhow::Result<ExitCode> {
        let traces = self.traces.start()?;
        let log = self.logging.start(traces.as_ref().map(Traces::layer))?;
        self.traces.log();
        let (times, times_now) = watch::channel(self.shutdown);
        // Signals are handled from here on, so that none is lost while the cache is loading.
        let mut signals = Signals::handle(times_now, log.writer.clone())?;
        let process = Process { log, times, signals: &mut signals, traces: traces.as_ref() };
        let outcome = self.serve(settings, sockets, read_options, process).await;
        if let Some(traces) = traces {
            let limit = signals.time_left().map_or(MAX_FLUSH, |left| left.saturating_sub(EXIT_TIME).min(MAX_FLUSH));
            tokio::select! {
                () = traces.finish(limit) => {}
                () = signals.hastened() => {}
            }
        }
        outcome?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }

    /// Serves until a signal stops it.
    async fn serve(
        self,
        settings: Settings,
        sockets: PassedSockets,
        read_options: fn() -> anyhow::Result<(Self, Settings)>,
        Process { log, times, signals, traces }: Process<'_>,
    ) -> anyhow::Result<()> {
        let times_now = times.subscribe();
        let notifier = Notifier::start(vec![runs_tasks(Handle::current())])?;
        settings.log();
        self.disk_space.check()?;
        let listen = match sockets.main {
            Some(socket) => ResolvedAddress::of(socket, "--listen")?,
            None => self.listen.resolve().await?,
        };
        let passed = sockets.admin.map(|socket| ResolvedAddress::of(socket, "--admin-listen")).transpose()?;
        let ListenerAccess { mut main, admin } = self.listeners.access(&listen, passed).await?;
        let tls = self.tls.listeners()?;
        let pseudonym = self.listeners.pseudonym();
        let files = self.file_budget(admin.is_some())?;
        let limits = self.connections.limits(files.connections);
        let admin_limits = ClientLimits { max_connections: limits.max_connections.min(MAX_ADMIN_CONNECTIONS), ..limits.clone() };
        let listener = listen.listen().await?;
        let address = listener.local_addr()?;
        let url = listener_url(address, tls.main.as_ref());
        let mut announcement = format!("listening on {url}\n");
        let mut endpoints = Vec::new();
        let (mut admin_access, mut admin_listen) = (None, None);
        if let Some((admin, access)) = admin {
            let listener = admin.listen().await?;
            let address = listener.local_addr()?;
            let url = listener_url(address, tls.admin.as_ref());
            announcement += &format!("administration on {url}\n");
            main.administration = Some(url.clone());
            let access = SharedAccess::from(access);
            endpoints.push((listener, access.clone(), admin_limits, tls.admin.clone()));
            (admin_access, admin_listen) = (Some(access), Some((admin, url)));
        }
        let main = SharedAccess::from(main);
        endpoints.push((listener, main.clone(), limits, tls.main.clone()));
        let tier = self.tier.open()?;
        let recorder = self.record_trace.as_deref().map(open_trace).transpose()?;
        let remembered = Remembered::new(&self.storage);
        // Anything that can fail has to fail before the address is printed: clients may then rely on the service to start, unless the
        // stored entries cannot be read.
        let metrics = self.metrics.metrics();
        let limiter = self.downloads.limiter(files.downloads);
        let spool = self.disk_space.spool(self.storage.dir());
        let origin_connections = OriginConnections::default();
        let via = pseudonym.to_string();
        // Reading the system's certificates and loading compiled code take most of a start, so they run in parallel.
        let (downloader, components) = thread::scope(|scope| {
            let downloader =
                || self.ingest.downloader(spool.clone(), limiter.clone(), origin_connections.clone(), None, Some(via.clone()));
            let downloader = scope.spawn(downloader);
            let components = remembered.components(&self.storage);
            (downloader.join(), components)
        });
        let downloader = downloader.map_err(|_| anyhow::anyhow!("cannot set up the downloader"))??;
        let downloader = ReplaceableDownloader::new(Arc::new(downloader));
        let request_log = SharedRequestLog::from(self.logging.of_requests());
        let components = components?;
        let shadows = self.shadows.start(components.engine.policies(), self.storage.policy == PolicyOption::Auto)?;
        let shared = Shared {
            files,
            tier: tier.as_ref(),
            observer: combined(
                shadows.as_ref().map(RunningShadows::observer).into_iter().chain(tier.as_ref().map(ServiceTier::observer)),
            ),
            downloader: &downloader,
            limiter: &limiter,
            spool: &spool,
            metrics: &metrics,
            request_log: &request_log,
        };
        // If the options cannot be used, that is found out before the directory is taken from another process.
        if remembered.policy.recall().is_none() && is_locked(self.storage.dir()) {
            self.try_out(files.entries).await?;
        }
        let directory_options = directory_options::effective(&settings);
        let claim = tokio::select! {
            claim = Claim::take(self.storage.dir(), &directory_options) => claim?,
            () = signals.stop_requested() => return Ok(()),
        };
        // An attached process may lock the directory for a moment before it notices the claim.
        let deadline = Instant::now() + MAX_CONTENTION;
        let prepared = loop {
            match self.prepare(components.clone(), &remembered, &shared) {
                Err(error) if is_in_use(&error) && Instant::now() < deadline => tokio::time::sleep(CONTENTION_PAUSE).await,
                prepared => break prepared?,
            }
        };
        announce(announcement).await;

        let (loaded, loading) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let connections = Connections::default();
        metrics.watch_connections(connections.clone());
        metrics.watch_queue(limiter.clone());
        metrics.watch_origin_connections(origin_connections.clone());
        metrics.watch_log(log.writer.clone());
        if let Some(tls) = &tls.main {
            metrics.watch_certificate(tls.clone());
        }
        if let Some(traces) = traces {
            metrics.watch_spans(traces.counts());
        }
        let reported_tier = tier.as_ref().map(ServiceTier::report);
        if let Some(tier) = &reported_tier {
            metrics.watch_tier(tier.clone());
        }
        let parts = ReloadableParts {
            main,
            admin: admin_access,
            tls,
            downloader,
            log,
            request_log: request_log.clone(),
            times,
            listen,
            admin_listen,
            max_body_mb: self.ingest.max_body_mb(),
            limiter: limiter.clone(),
            origin_connections,
            spool,
            via,
        };
        let extras = Extras {
            remembered: Some(remembered.policy.clone()),
            remembered_component: Some(remembered.component.clone()),
            recorder,
            pseudonym: Some(pseudonym),
            metrics,
            request_log,
            shadows: shadows.as_ref().map(RunningShadows::report),
            tier: reported_tier,
            tracer: traces.map(Traces::tracer),
            policy_check: Some(Arc::new(LimitedSuite::new(self.sandbox.limits()))),
        };
        let service = Service::new(loading, self.ingest.max_body_bytes(), extras);
        tokio::spawn(service.clone().run_dashboard(stopped.clone()));
        let servers = endpoints.into_iter().map(|(listener, access, limits, tls)| {
            let routes = service.clone().routes(access).over(tls);
            serve_connections(listener, routes, limits, connections.clone(), stopped.clone())
        });
        let server = tokio::spawn(join_all(servers));
        notifier.ready(format!("listening on {url}, and loading {}", self.storage.dir().display())).await;
        let read_options = move || read_options().map(|(serve, settings)| (serve.reloadable(), settings));
        let reloader = Reloader { read_options, settings, parts: Arc::new(parts), notifier: notifier.clone() };
        let reloader = tokio::spawn(reloader.run(signals.reload()));

        let cache = tokio::select! {
            cache = prepared.start() => cache?,
            () = signals.stop_requested() => {
                reloader.abort();
                notifier.stopping("stopping before the cache was started").await;
                return Ok(());
            }
        };
        remembered.forget_the_outdated();
        let attached = Listener::start(cache.clone(), directory_options, Some(remembered.policy.clone()));
        let attached = attached.inspect_err(|error| {
            tracing::warn!("other processes cannot attach to {}, but can use HTTP: {error}", cache.directory().display());
        });
        drop(claim);
        tokio::spawn(log_loaded(cache.clone()));
        let policy = cache.policy();
        let policy = format!("{} {}", policy.name, policy.version);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, policy = policy.as_str(), "serving");
        if let Some(tier) = &tier {
            tier.follow(cache.clone());
        }
        small_directory::wait_until_loaded(&cache).await;
        loaded.send_replace(Some(cache.clone()));
        let following = shadows.map(|shadows| tokio::spawn(shadows.follow(service, cache.clone(), stopped)));
        notifier.status(format!("serving on {url}")).await;
        tokio::spawn(allocator::tick());

        signals.stop_requested().await;
        tracing::info!("finishing requests in progress");
        reloader.abort();
        stop.send_replace(true);
        notifier.stopping("finishing requests in progress").await;
        let grace = times_now.borrow().grace();
        Running { server, connections, limiter, attached: attached.ok(), tier, cache }.finish(grace, signals).await?;
        // It holds the service, whose trace is complete only when the service is dropped.
        if let Some(following) = following {
            following.await.context("the task that follows the shadow policies failed")?;
        }
        Ok(())
    }

    /// The configured concurrency, as far as it needs open files.
    fn file_demand(&self, has_admin_listener: bool) -> FileDemand {
        FileDemand {
            connections: self.connections.max_connections(),
            downloads: self.downloads.max_downloads(),
            conversions: self.ingest.external_conversions(),
            entries: self.memory.max_open_files(),
            has_admin_listener,
        }
    }

    /// Divides the open files that are allowed now. Logs a warning if there are too few for what the service is to do at once.
    fn file_budget(&self, has_admin_listener: bool) -> anyhow::Result<FileBudget> {
        let demand = self.file_demand(has_admin_listener);
        let budget = demand.fit(allowed_files())?;
        budget.report(&demand);
        Ok(budget)
    }

    /// The options that can be reloaded.
    fn reloadable(self) -> ReloadableOptions {
        ReloadableOptions {
            listeners: self.listeners,
            tls: self.tls,
            ingest: self.ingest,
            logging: self.logging,
            times: self.shutdown,
        }
    }

    /// A cache that owns its directory, with the component and the policy that were chosen during a previous run, if they are still
    /// available.
    fn prepare(&self, components: Components, remembered: &Remembered, shared: &Shared<'_>) -> anyhow::Result<PreparedCache> {
        let Components { engine, component } = components;
        let prepare_with = |policy: &PolicySpec| self.prepare_with(engine.clone(), component.clone(), policy, shared);
        if let Some(chosen) = remembered.policy.recall() {
            let why = match prepare_with(&chosen) {
                Ok(cache) => {
                    tracing::info!(
                        "using the policy {chosen}, which was chosen during a previous run, instead of {}",
                        self.storage.policy
                    );
                    return Ok(cache);
                }
                Err(error) if concerns_policy(&error) => error,
                Err(error) => return Err(error),
            };
            tracing::error!(
                "cannot use the policy {chosen}, which was chosen during a previous run; using {} instead: {why:#}",
                self.storage.policy
            );
        }
        let cache = prepare_with(&self.storage.policy.start())?;
        tracing::info!("the policy is {}", self.storage.policy);
        Ok(cache)
    }

    fn prepare_with(
        &self,
        engine: Engine,
        component: StartComponent,
        policy: &PolicySpec,
        shared: &Shared<'_>,
    ) -> anyhow::Result<PreparedCache> {
        let downloader =
            Logged::new(Arc::new(shared.downloader.clone()), shared.request_log.clone()).with_limiter(shared.limiter.clone());
        let builder = self.configure(engine, component.component.clone(), policy, shared.files.entries)?;
        let builder = builder.spool(shared.spool.clone());
        let builder = match &shared.observer {
            Some(observer) => builder.request_observer(observer.clone()),
            None => builder,
        };
        let builder = component.configure(builder);
        let downloader = shared.metrics.measured(Arc::new(downloader));
        let builder = match shared.tier {
            Some(tier) => tier.configure(builder, Arc::new(downloader), self.storage.key_rules(), shared.spool.clone()),
            None => builder.downloader(downloader),
        };
        let transcoder = Logged::new(self.ingest.transcoder(), shared.request_log.clone());
        let transcoder = shared.metrics.measured(Arc::new(transcoder));
        Ok(builder.transcoder(transcoder).prepare()?)
    }

    fn configure(
        &self,
        engine: Engine,
        component: CacheComponent,
        policy: &PolicySpec,
        max_open_files: u32,
    ) -> anyhow::Result<Builder> {
        let builder = self.storage.builder_with(engine, component, self.disk_space.max_size_mb(), policy)?;
        let builder = self.memory.configure(self.disk_space.configure(builder), max_open_files);
        let builder = builder.policy_limits(self.sandbox.limits()).policy_compiler(self.compile_limits.compiler());
        let builder = self.integrity_check.configure(self.durability.configure(builder));
        Ok(self.failure_memory.configure(builder))
    }

    /// Contacts the store of the second tier, if there is one. Returns what it is, and the problems.
    pub async fn contact_tier(&self) -> Option<(String, Vec<anyhow::Error>)> {
        // Other problems of the options are reported without contact.
        let tier = self.tier.open().ok()??;
        Some(tier.contact().await)
    }

    /// Problems that would keep a service from starting, as far as they can be found without listening and without touching the directory.
    pub async fn problems(&self) -> Vec<anyhow::Error> {
        let directory = check_directory(self.storage.dir()).err();
        let disk_space = self.disk_space.check().err();
        let trace = self.record_trace.as_deref().and_then(|trace| check_trace(trace).err());
        let files = self.file_budget(self.listeners.has_admin());
        let converter = self.ingest.check_converter().await.err();
        let tier = self.tier.open().err();
        let traces = self.traces.problem();
        let shadows =
            engine().ok().and_then(|engine| self.shadows.problem(engine.policies(), self.storage.policy == PolicyOption::Auto));
        let tls = self.tls.certificate().err();
        let cache = self.try_out(files.as_ref().map_or(0, |files| files.entries)).await.err();
        let mut problems = self.listeners.problems(&self.listen).await;
        problems.extend(
            [directory, disk_space, trace, files.err(), converter, tls, tier, traces, shadows, cache].into_iter().flatten(),
        );
        problems
    }

    /// Opens an empty cache in a temporary directory, which checks the component, the policy and its options.
    async fn try_out(&self, max_open_files: u32) -> anyhow::Result<()> {
        let empty = tempfile::tempdir().context("cannot create a temporary directory to try the options in")?;
        let spool = Spool::temporary();
        let via = Some(self.listeners.pseudonym().to_string());
        let downloader = self.ingest.downloader(
            spool,
            self.downloads.limiter(self.downloads.max_downloads()),
            OriginConnections::default(),
            None,
            via,
        )?;
        let engine = engine()?;
        let component = engine.cache(&self.storage.component())?;
        let cache = self.configure(engine, component, &self.storage.policy.start(), max_open_files)?.downloader(downloader);
        let cache = cache.shared_transcoder(self.ingest.transcoder()).directory(empty.path()).open().await?;
        Ok(cache.close().await?)
    }
}

/// Whether another process uses a directory.
fn is_locked(directory: &Path) -> bool {
    DirectoryLock::is_in(directory) && matches!(DirectoryLock::acquire(directory), Err(LockError::InUse { .. }))
}

/// Whether an error means that another process uses the directory.
fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Lock(LockError::InUse { .. })))
}

/// Whether an error concerns only the policy, so that the cache could be opened with another one.
fn concerns_policy(error: &anyhow::Error) -> bool {
    error.is::<UnusablePolicy>() || matches!(error.downcast_ref(), Some(OpenError::Policy { .. }))
}

/// Logs what was found once the directory is loaded.
async fn log_loaded(cache: MediaCache) {
    let directory = cache.directory().to_owned();
    // The cache may be closed first, and this task must not keep it open.
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
