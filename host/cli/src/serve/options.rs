//! The options of `serve`, and what they mean for the cache.

use std::path::PathBuf;

use clap::Args;
use media_cache::{Builder, CacheComponent, Engine, PolicySpec};

use crate::connections::ConnectionLimits;
use crate::disk_space::DiskSpace;
use crate::download_queue::DownloadLimits;
use crate::durability::DurabilityOption;
use crate::failure_memory::FailureMemory;
use crate::file_budget::{FileBudget, FileDemand};
use crate::ingest::Ingest;
use crate::integrity_check::IntegrityCheck;
use crate::listen_address::ListenAddress;
use crate::listeners::Listeners;
use crate::logging::Logging;
use crate::memory::Memory;
use crate::metrics::MetricsOptions;
use crate::open_file_limit::allowed_files;
use crate::policy::CompileLimits;
use crate::reload::ReloadableOptions;
use crate::sandbox::Sandbox;
use crate::shadows::ShadowPolicies;
use crate::shutdown_times::ShutdownTimes;
use crate::storage::Storage;
use crate::tier::TierOption;
use crate::tls::TlsOptions;
use crate::traces::TraceOptions;

/// The options of `serve`.
#[derive(Args)]
pub struct Serve {
    /// The address to listen on: an address or `localhost`, and a port; `:8080` listens on all addresses, and port 0 selects a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: ListenAddress,
    #[command(flatten)]
    pub storage: Storage,
    #[command(flatten)]
    pub disk_space: DiskSpace,
    #[command(flatten)]
    pub durability: DurabilityOption,
    #[command(flatten)]
    pub integrity_check: IntegrityCheck,
    #[command(flatten)]
    pub shutdown: ShutdownTimes,
    /// A file to which every request for media is appended, with a hash of its URL, for `media-cache simulate`
    #[arg(long, value_name = "FILE")]
    pub record_trace: Option<PathBuf>,
    #[command(flatten)]
    pub listeners: Listeners,
    #[command(flatten)]
    pub tls: TlsOptions,
    #[command(flatten)]
    pub tier: TierOption,
    #[command(flatten)]
    pub shadows: ShadowPolicies,
    #[command(flatten)]
    pub sandbox: Sandbox,
    #[command(flatten)]
    pub compile_limits: CompileLimits,
    #[command(flatten)]
    pub memory: Memory,
    #[command(flatten)]
    pub ingest: Ingest,
    #[command(flatten)]
    pub downloads: DownloadLimits,
    #[command(flatten)]
    pub failure_memory: FailureMemory,
    #[command(flatten)]
    pub connections: ConnectionLimits,
    #[command(flatten)]
    pub logging: Logging,
    #[command(flatten)]
    pub metrics: MetricsOptions,
    #[command(flatten)]
    pub traces: TraceOptions,
}

impl Serve {
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
    pub fn file_budget(&self, has_admin_listener: bool) -> anyhow::Result<FileBudget> {
        let demand = self.file_demand(has_admin_listener);
        let budget = demand.fit(allowed_files())?;
        budget.report(&demand);
        Ok(budget)
    }

    /// The options that can be reloaded.
    pub fn reloadable(self) -> ReloadableOptions {
        ReloadableOptions {
            listeners: self.listeners,
            tls: self.tls,
            ingest: self.ingest,
            logging: self.logging,
            times: self.shutdown,
        }
    }

    /// A cache with these options, without what it fetches and converts media with.
    pub fn configure(
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
}
