//! Runs a service from its start to its end.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::join_all;
use media_cache::{DirectoryLock, LockError, MediaCache, OpenError};
use media_cache_attach::{Claim, Listener};
use media_cache_http_downloader::OriginConnections;
use media_cache_server::logs::SharedRequestLog;
use media_cache_server::{Connections, Extras, Service, serve_connections};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::allocator;
use crate::announcement::announce;
use crate::checks::open_trace;
use crate::config::Settings;
use crate::directory_options;
use crate::logging::Log;
use crate::notify::{Notifier, runs_tasks};
use crate::observers::combined;
use crate::passed_sockets::PassedSockets;
use crate::policy::LimitedSuite;
use crate::policy_option::PolicyOption;
use crate::reload::{ReloadableParts, Reloader};
use crate::remembered::Remembered;
use crate::replaceable_downloader::ReplaceableDownloader;
use crate::serve::endpoints::{Endpoints, Listening};
use crate::serve::options::Serve;
use crate::serve::prepare::Shared;
use crate::shadows::RunningShadows;
use crate::shutdown::Running;
use crate::shutdown_times::ShutdownTimes;
use crate::signals::Signals;
use crate::small_directory;
use crate::tier::ServiceTier;
use crate::traces::Traces;

/// How long a directory that this service has claimed may be in use.
const MAX_CONTENTION: Duration = Duration::from_secs(3);

/// The pause between two attempts to lock such a directory.
const CONTENTION_PAUSE: Duration = Duration::from_millis(20);

/// How long a service that stops tries to send the remaining spans, if its time limit allows that.
const MAX_FLUSH: Duration = Duration::from_secs(3);

/// The time before the limit of a shutdown in which no more spans are sent.
const EXIT_TIME: Duration = Duration::from_millis(500);

/// What exists before the service starts.
struct Process<'a> {
    log: Log,
    times: watch::Sender<ShutdownTimes>,
    signals: &'a mut Signals,
    traces: Option<&'a Traces>,
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
        self.traces.log(traces.as_ref());
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
        let Endpoints { files, tls, listen, address, url, announcement, main, admin, listeners } = self.listen(sockets).await?;
        let pseudonym = self.listeners.pseudonym();
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
            admin: admin.as_ref().map(|admin| admin.access.clone()),
            tls,
            downloader,
            log,
            request_log: request_log.clone(),
            times,
            listen,
            admin_listen: admin.map(|admin| (admin.listen, admin.url)),
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
        let servers = listeners.into_iter().map(|Listening { listener, access, limits, tls }| {
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
}

/// Whether another process uses a directory.
fn is_locked(directory: &Path) -> bool {
    DirectoryLock::is_in(directory) && matches!(DirectoryLock::acquire(directory), Err(LockError::InUse { .. }))
}

/// Whether an error means that another process uses the directory.
fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Lock(LockError::InUse { .. })))
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
