//! Reloads the configuration of a running service on SIGHUP.
//!
//! The configuration file is read again with the same arguments and environment, and so are the files that options name. Everything is
//! checked before anything changes: if something is wrong, nothing changes, and the log has the reason.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use media_cache::{Downloader, Spool};
use media_cache_http_downloader::{ConcurrencyLimiter, OriginConnections};
use media_cache_server::logs::SharedRequestLog;
use media_cache_server::{Access, Certificate, SharedAccess};
use tokio::sync::{Notify, watch};
use tokio::task::spawn_blocking;

use crate::config::{RELOADABLE, Settings};
use crate::ingest::Ingest;
use crate::listen_address::ResolvedAddress;
use crate::listeners::Listeners;
use crate::logging::{Log, Logging};
use crate::notify::Notifier;
use crate::replaceable_downloader::ReplaceableDownloader;
use crate::shutdown_times::ShutdownTimes;
use crate::tls::{ListenerTls, TlsOptions};

/// How long reading the files may take: one of them may be a pipe, or on a mount that hangs.
const READING_LIMIT: Duration = Duration::from_secs(10);

/// The options that can be reloaded.
pub struct ReloadableOptions {
    pub listeners: Listeners,
    pub tls: TlsOptions,
    pub ingest: Ingest,
    pub logging: Logging,
    pub times: ShutdownTimes,
}

/// The parts of a running service that can be replaced, and what their replacements depend on.
pub struct ReloadableParts {
    pub main: SharedAccess,
    pub admin: Option<SharedAccess>,
    pub tls: ListenerTls,
    pub downloader: ReplaceableDownloader,
    pub log: Log,
    pub request_log: SharedRequestLog,
    pub times: watch::Sender<ShutdownTimes>,
    /// Where the service listens.
    pub listen: ResolvedAddress,
    /// Where it listens for administration: the configured address, and the URL.
    pub admin_listen: Option<(ResolvedAddress, String)>,
    /// The limit on bodies, which cannot change.
    pub max_body_mb: u64,
    pub limiter: ConcurrencyLimiter,
    pub origin_connections: OriginConnections,
    /// Where large bodies are stored as they arrive.
    pub spool: Arc<Spool>,
    pub via: String,
}

/// Replacements for all parts.
struct Replacements {
    main: Access,
    admin: Option<Access>,
    tls: Option<Certificate>,
    downloader: Arc<dyn Downloader>,
    logging: Logging,
    times: ShutdownTimes,
}

impl ReloadableParts {
    /// Builds the replacements, or reports what is wrong with the options. Reads the files.
    fn prepare(&self, options: ReloadableOptions) -> anyhow::Result<Replacements> {
        let ReloadableOptions { listeners, tls, ingest, logging, times } = options;
        let admin_listen = self.admin_listen.as_ref().map(|(address, _)| address);
        let (mut main, admin) = listeners.access_at(&self.listen, admin_listen)?;
        main.administration = self.admin_listen.as_ref().map(|(_, url)| url.clone());
        let tls = tls.certificate()?;
        anyhow::ensure!(
            tls.is_some() == self.tls.main.is_some(),
            "--tls-cert and --tls-key cannot be added or removed without a restart"
        );
        let ingest = ingest.with_max_body_mb(self.max_body_mb);
        let (spool, limiter, connections) = (self.spool.clone(), self.limiter.clone(), self.origin_connections.clone());
        let downloader = Arc::new(ingest.downloader(spool, limiter, connections, None, Some(self.via.clone()))?);
        Ok(Replacements { main, admin, tls, downloader, logging, times })
    }

    fn apply(&self, replacements: Replacements) {
        let Replacements { main, admin, tls, downloader, logging, times } = replacements;
        self.main.replace(main);
        if let (Some(shared), Some(admin)) = (&self.admin, admin) {
            shared.replace(admin);
        }
        if let Some(tls) = tls {
            self.tls.replace(tls);
        }
        self.downloader.replace(downloader);
        self.request_log.set(logging.of_requests());
        self.log.set_filter(&logging);
        self.times.send_replace(times);
    }
}

/// Reloads a service.
pub struct Reloader<F> {
    /// Returns the current options.
    pub read_options: F,
    /// The effective options.
    pub settings: Settings,
    pub parts: Arc<ReloadableParts>,
    pub notifier: Notifier,
}

impl<F: Fn() -> anyhow::Result<(ReloadableOptions, Settings)> + Clone + Send + 'static> Reloader<F> {
    /// Reloads on every request. Never resolves.
    pub async fn run(mut self, requested: Arc<Notify>) {
        loop {
            requested.notified().await;
            self.notifier.reloading().await;
            let status = match self.reload().await {
                Ok(()) => "serving; the configuration has been reloaded",
                Err(error) => {
                    // An error can have several lines.
                    let problem = format!("{error:#}").lines().map(str::trim).collect::<Vec<_>>().join(" ");
                    tracing::error!("cannot reload the configuration, so nothing has changed: {problem}");
                    "serving; the configuration could not be reloaded"
                }
            };
            self.notifier.ready(status).await;
        }
    }

    async fn reload(&mut self) -> anyhow::Result<()> {
        let (read_options, parts) = (self.read_options.clone(), self.parts.clone());
        let prepare = move || {
            let (options, settings) = read_options()?;
            anyhow::Ok((parts.prepare(options)?, settings))
        };
        let prepared = tokio::time::timeout(READING_LIMIT, spawn_blocking(prepare)).await;
        let prepared = prepared.with_context(|| format!("reading it took more than {} s", READING_LIMIT.as_secs()))?;
        let (replacements, settings) = prepared??;
        self.parts.apply(replacements);
        let differing = self.settings.differing(&settings);
        let (changed, fixed): (Vec<_>, Vec<_>) = differing.into_iter().partition(|name| RELOADABLE.contains(&name.as_str()));
        self.settings.adopt(&settings, &changed);
        let changed = (!changed.is_empty()).then(|| changed.join(", "));
        tracing::info!(changed, "reloaded the configuration, keys and tokens");
        if !fixed.is_empty() {
            tracing::warn!("these options have changed, but take effect only at the next start: {}", fixed.join(", "));
        }
        Ok(())
    }
}
