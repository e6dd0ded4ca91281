//! The options that every command shares, and a cache made of them.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use media_cache::download::{Download, DownloadQueue, FetchError, Gate, HttpDownloader, HttpOptions, Retry};
use media_cache::transcode::{EmbeddedTranscoder, FfmpegTranscoder, Limits, NoTranscoder};
use media_cache::{Builder, ComponentError, Engine, MediaCache, PolicyLimits, PolicySpec};

use super::access::Access;
use super::config::ConfigurationFile;
use super::egress::Egress;
use super::keys::Keys;
use super::matrix::Matrix;
use super::queue::Retries;

const MIB: u64 = 1 << 20;

/// The budget of a service, and of a directory that is empty, in MiB.
pub const DEFAULT_MAX_SIZE_MB: u64 = 500;

/// Which cache it is. Every command has these.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct Place {
    #[command(flatten)]
    config: ConfigurationFile,
    /// The directory with the entries; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "media_cache")]
    pub dir: PathBuf,
    /// A cache component to use in place of the built-in one
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The eviction policy, by name or a component's file, and its options, such as `gdsf:beta=0.75`
    #[arg(long, value_name = "POLICY", default_value_t, help_heading = "Eviction policy")]
    pub policy: PolicySpec,
    #[command(flatten)]
    keys: Keys,
}

/// What comes in, and what becomes of it. For commands that store something.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct Intake {
    /// The largest body that is downloaded or put, in MiB
    #[arg(long, value_name = "MB", default_value_t = 100)]
    max_body_mb: u64,
    /// What makes films of GIFs: `embedded` needs nothing, `ffmpeg` has to be installed, `none` stores GIFs as they are
    #[arg(long, value_enum, default_value_t)]
    transcoder: TranscoderName,
    #[command(flatten)]
    retries: Retries,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    matrix: Matrix,
    #[command(flatten)]
    egress: Egress,
}

/// The tier in memory. For commands that run long enough to have one.
#[derive(Args)]
#[command(next_help_heading = "Memory")]
pub struct Memory {
    /// Entries kept in memory or open; 0 for none
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_memory_items: u32,
    /// Memory for the bytes of entries, in MiB
    #[arg(long, value_name = "MB", default_value_t = 256)]
    max_memory_mb: u64,
}

/// What runs components.
///
/// # Errors
/// With a sentence for the user.
pub fn engine() -> anyhow::Result<Engine> {
    Engine::new().map_err(|error| anyhow::anyhow!("WebAssembly does not run here: {error:#}"))
}

/// The policy cannot be used, whatever is true of the rest.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct UnusablePolicy(ComponentError);

/// What a policy may use up. For commands that run one whose author they do not know.
#[derive(Args)]
#[command(next_help_heading = "Eviction policy")]
pub struct Sandbox {
    /// Memory that the eviction policy may have, in MiB; a million entries need about a hundred
    #[arg(long, value_name = "MB", default_value_t = PolicyLimits::default().memory_bytes / MIB)]
    policy_memory_mb: u64,
    /// Processor time that a call into the policy may take, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = PolicyLimits::default().call_time.as_millis() as u64)]
    policy_call_ms: u64,
}

impl Sandbox {
    pub fn limits(&self) -> PolicyLimits {
        let (memory_bytes, call_time) = (self.policy_memory_mb.saturating_mul(MIB), Duration::from_millis(self.policy_call_ms));
        PolicyLimits { memory_bytes, call_time }
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum TranscoderName {
    #[default]
    Embedded,
    Ffmpeg,
    None,
}

impl Place {
    /// A cache at this place with a budget in MiB, for a command that neither downloads nor transcodes.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub fn builder(&self, max_size_mb: NonZeroU64) -> anyhow::Result<Builder> {
        self.builder_with(max_size_mb, &self.policy)
    }

    /// The same, with a policy other than the one that was said.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub fn builder_with(&self, max_size_mb: NonZeroU64, policy: &PolicySpec) -> anyhow::Result<Builder> {
        let engine = engine()?;
        let mut builder = MediaCache::builder().directory(&self.dir).max_disk_bytes(max_size_mb.saturating_mul(MEBIBYTE));
        builder = builder.key_rules(self.keys.rules());
        if let Some(file) = &self.component {
            builder = builder.component(engine.cache_from_file(file)?);
        }
        builder = builder.policy(policy.compile(&engine).map_err(UnusablePolicy)?);
        for (name, value) in &policy.options {
            builder = builder.policy_option(name, value);
        }
        Ok(builder.engine(engine).downloader(download_nothing).transcoder(NoTranscoder))
    }

    /// A budget in MiB that evicts nothing: what the directory holds and `more` MiB, or the default where that is larger. Looking at
    /// a cache, or adding a thing to it, must not empty it because nobody said how large it may be.
    pub fn ample_budget(&self, more: u64) -> NonZeroU64 {
        let needed = mebibytes_in(&self.dir).saturating_add(more);
        NonZeroU64::new(needed.max(DEFAULT_MAX_SIZE_MB)).unwrap_or(NonZeroU64::MIN)
    }

    /// Opens the cache while a spinner turns, where there is somebody to see it.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub async fn open(&self, builder: Builder, bar: &ProgressBar) -> anyhow::Result<MediaCache> {
        bar.set_message(format!("loading {}", self.dir.display()));
        bar.enable_steady_tick(Duration::from_millis(100));
        let opened = builder.open().await;
        bar.set_message("");
        if opened.is_err() {
            bar.finish_and_clear();
        }
        Ok(opened?)
    }
}

impl Intake {
    /// Adds what brings things in, downloads through this queue. `progress`, where it is given, shows how they get on; `via` is who
    /// they are made for.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub fn configure(
        &self,
        builder: Builder,
        queue: DownloadQueue,
        progress: Option<ProgressBar>,
        via: Option<String>,
    ) -> anyhow::Result<Builder> {
        let options = HttpOptions {
            max_body_bytes: self.max_body_bytes(),
            access: self.access.rules(),
            homeserver: self.matrix.homeserver()?,
            progress: progress.map(|bar| Arc::new(move |received, total| show(&bar, received, total)) as _),
            via,
            ..self.egress.options()
        };
        let retries = self.retries.options(options.total_timeout);
        // Each attempt waits for a place of its own, so that none is taken while nothing is done.
        let builder = builder.downloader(Retry::new(Gate::new(HttpDownloader::new(options)?, queue), retries));
        Ok(match self.transcoder {
            TranscoderName::Embedded => builder.transcoder(EmbeddedTranscoder::default()),
            TranscoderName::Ffmpeg => builder.transcoder(FfmpegTranscoder::new("ffmpeg".into(), Limits::default())),
            TranscoderName::None => builder,
        })
    }

    /// Room that one more entry may take, in MiB: its body, or the film that is made of it, and its sidecar.
    pub fn room(&self) -> u64 {
        self.max_body_mb.saturating_add(100)
    }

    /// The largest body that is downloaded or put, in bytes.
    pub fn max_body_bytes(&self) -> u64 {
        self.max_body_mb.saturating_mul(MIB)
    }
}

impl Memory {
    /// How many entries may be open at once.
    pub fn items(&self) -> u32 {
        self.max_memory_items
    }

    /// Sets the limits of the tier in memory.
    pub fn configure(&self, builder: Builder) -> Builder {
        builder.max_memory_items(self.max_memory_items).max_memory_bytes(self.max_memory_mb.saturating_mul(MIB))
    }
}

/// The downloader of commands that only look at what is there.
async fn download_nothing(_url: String) -> Result<Download, FetchError> {
    Err(FetchError::Refused("this command downloads nothing".into()))
}

const MEBIBYTE: NonZeroU64 = match NonZeroU64::new(MIB) {
    Some(mebibyte) => mebibyte,
    None => NonZeroU64::MIN,
};

/// What the files in a directory take up, in blocks of 4 KiB, in whole MiB. What cannot be read does not count.
fn mebibytes_in(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| file.metadata().ok()).filter(|metadata| metadata.is_file());
    let bytes: u64 = sizes.map(|metadata| metadata.len().next_multiple_of(4096)).sum();
    bytes.div_ceil(MIB)
}

fn show(bar: &ProgressBar, received: u64, total: Option<u64>) {
    if let Some(total) = total.filter(|_| bar.length().is_none()) {
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}");
        bar.set_length(total);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }
    bar.set_position(received);
    if total.is_none() {
        bar.set_message(format!("{received} bytes"));
    }
}
