//! Identifies a cache: its directory, its components and its key rules.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;
use media_cache::policy::RememberedPolicy;
use media_cache::{
    Builder, CacheComponent, ComponentError, ComponentOrigin, Engine, KeyRules, MediaCache, NoDownloader, NoTranscoder, PolicySpec,
    defaults,
};
use media_cache_attach::SharedCache;
use media_cache_maintenance::{EntryDirectory, StoredEntry};

use crate::attach;
use crate::config::Settings;
use crate::directory::CacheDirectory;
use crate::engine::engine;
use crate::key_rules::KeyRuleOptions;
use crate::policy_option::PolicyOption;
use crate::progress;
use crate::service_option::ServiceOption;
use crate::used_cache::UsedCache;

/// Bytes in a MiB.
pub const MIB: u64 = 1 << 20;

/// The budget of a service, and of an empty directory, in MiB.
pub const DEFAULT_MAX_SIZE_MB: u64 = defaults::MAX_DISK_BYTES.get() / MIB;

/// The cache to use. Every command has these options.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct Storage {
    #[command(flatten)]
    directory: CacheDirectory,
    /// The cache component to use instead of the built-in one
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The eviction policy: a name or a component file, with options, such as `gdsf:beta=0.75`, or `auto`: a service then begins with LRU
    /// and switches when its shadow policies show that another one is better
    #[arg(long, value_name = "POLICY", default_value_t, help_heading = "Eviction policy")]
    pub policy: PolicyOption,
    #[command(flatten)]
    key_rules: KeyRuleOptions,
}

/// The policy cannot be used. Everything else may be valid.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct UnusablePolicy(pub ComponentError);

impl Storage {
    /// The path of the directory.
    pub fn dir(&self) -> &Path {
        &self.directory.dir
    }

    /// Which URLs share an entry.
    pub fn key_rules(&self) -> KeyRules {
        self.key_rules.rules()
    }

    /// The entry stored for a URL, read from its files: without the index of the cache, and even while a service is running. `None` if
    /// there is none or its files are damaged.
    pub fn stored(&self, url: &str) -> Option<StoredEntry> {
        let directory = EntryDirectory::existing(self.dir()).ok()?;
        directory.entry(self.key_rules.digest(url)).ok().flatten()
    }

    /// A builder for this cache with a budget in MiB, for a command that neither downloads nor transcodes.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn builder(&self, max_size_mb: NonZeroU64) -> anyhow::Result<Builder> {
        let engine = engine()?;
        let component = engine.cache(&self.component())?;
        // As a service would at its next start.
        let selected = RememberedPolicy::new(self.dir(), self.policy.configured()).recall();
        let selected = selected.filter(|policy| policy.compile(engine.policies()).is_ok());
        self.builder_with(engine, component, max_size_mb, &selected.unwrap_or_else(|| self.policy.start()))
    }

    /// The configured cache component.
    pub fn component(&self) -> ComponentOrigin {
        self.component.clone().map_or(ComponentOrigin::BuiltIn, ComponentOrigin::File)
    }

    /// Like [`builder`](Self::builder), but with a component and a policy other than the configured ones.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn builder_with(
        &self,
        engine: Engine,
        component: CacheComponent,
        max_size_mb: NonZeroU64,
        policy: &PolicySpec,
    ) -> anyhow::Result<Builder> {
        let mut builder = MediaCache::builder().directory(self.dir()).max_disk_bytes(max_size_mb.saturating_mul(MEBIBYTE));
        builder = builder.key_rules(self.key_rules.rules()).component(component);
        builder = builder.policy(policy.compile(engine.policies()).map_err(UnusablePolicy)?);
        for (name, value) in &policy.options {
            builder = builder.policy_option(name, value);
        }
        Ok(builder.engine(engine).downloader(NoDownloader).transcoder(NoTranscoder))
    }

    /// A budget in MiB with which nothing is evicted: the size of the directory and `more` MiB, or the default if that is larger. Reading
    /// from a cache, or adding an entry, must not empty it just because no budget was given.
    pub fn ample_budget(&self, more: u64) -> NonZeroU64 {
        let needed = mebibytes_in(self.dir()).saturating_add(more);
        // An eighth of the budget is reserved.
        let budget = needed.saturating_add(needed / 7 + 1);
        NonZeroU64::new(budget.max(DEFAULT_MAX_SIZE_MB)).unwrap_or(NonZeroU64::MIN)
    }

    /// Opens the cache in the directory, or attaches to the process that owns it. `configure` returns the builder. The cache is not shared,
    /// since this process uses it only for a moment.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn open(
        &self,
        settings: &Settings,
        bar: &ProgressBar,
        configure: impl Fn() -> anyhow::Result<Builder> + Send + Sync + 'static,
    ) -> anyhow::Result<SharedCache> {
        progress::spin(bar, &format!("loading {}", self.dir().display()));
        let opened = SharedCache::open_or_attach(self.dir(), attach::sharing(settings), move |_| configure()).await;
        bar.set_message("");
        if opened.is_err() {
            bar.finish_and_clear();
        }
        Ok(opened?)
    }

    /// The cache for a command that reads or removes entries: the one of a service, if one is named, or that in the directory, which must
    /// exist.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn used(self: &Arc<Self>, service: &ServiceOption, settings: &Settings) -> anyhow::Result<UsedCache> {
        if let Some(service) = service.client(settings)? {
            return Ok(UsedCache::Service(service));
        }
        self.directory.existing()?;
        let (bar, storage) = (progress::spinner(), self.clone());
        let cache = self.open(settings, &bar, move || storage.builder(storage.ample_budget(0))).await?;
        bar.finish_and_clear();
        Ok(UsedCache::Directory(cache))
    }
}

/// A MiB.
pub const MEBIBYTE: NonZeroU64 = match NonZeroU64::new(MIB) {
    Some(mebibyte) => mebibyte,
    None => NonZeroU64::MIN,
};

/// The disk usage of all files in a directory and its subdirectories, in blocks of 4 KiB, rounded up to whole MiB. Unreadable files do not
/// count.
fn mebibytes_in(directory: &Path) -> u64 {
    bytes_in(directory).div_ceil(MIB)
}

fn bytes_in(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| file.metadata().ok().map(|metadata| (file.path(), metadata)));
    sizes
        .map(|(path, metadata)| {
            if metadata.is_dir() {
                bytes_in(&path)
            } else if metadata.is_file() {
                metadata.len().next_multiple_of(4096)
            } else {
                0
            }
        })
        .sum()
}
