//! The options that every command shares, and a cache made of them.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use media_cache::download::{HttpDownloader, HttpOptions};
use media_cache::transcode::{EmbeddedTranscoder, FfmpegTranscoder, Limits, NoTranscoder};
use media_cache::{Engine, MediaCache};

const MIB: u64 = 1 << 20;

/// The budget of a service, and of a directory that is empty, in MiB.
pub const DEFAULT_MAX_SIZE_MB: u64 = 500;

/// Where the cache is and how it works.
#[derive(Args)]
pub struct CacheOptions {
    /// The directory with the entries; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "media_cache")]
    pub dir: PathBuf,
    /// Entries kept in memory or open; 0 for none
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_memory_items: u32,
    /// Memory for the bytes of entries, in MiB
    #[arg(long, value_name = "MB", default_value_t = 256)]
    max_memory_mb: u64,
    /// The largest body that is downloaded or put, in MiB
    #[arg(long, value_name = "MB", default_value_t = 100)]
    max_body_mb: u64,
    /// What makes films of GIFs: `embedded` needs nothing, `ffmpeg` has to be installed, `none` stores GIFs as they are
    #[arg(long, value_enum, default_value_t)]
    transcoder: TranscoderName,
    /// A cache component to use in place of the built-in one
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The eviction policy: the built-in `lru`, or a component
    #[arg(long, value_name = "lru|FILE", default_value = "lru")]
    policy: PolicyName,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum TranscoderName {
    #[default]
    Embedded,
    Ffmpeg,
    None,
}

#[derive(Clone)]
enum PolicyName {
    Lru,
    File(PathBuf),
}

impl FromStr for PolicyName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "lru" {
            return Ok(Self::Lru);
        }
        let file = Path::new(name);
        match file.is_file() {
            true => Ok(Self::File(file.into())),
            false => Err("it is neither the built-in policy `lru` nor a file".into()),
        }
    }
}

impl CacheOptions {
    /// Opens the cache with a budget in MiB. `progress`, where it is given, shows how downloads get on.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub async fn open(&self, max_size_mb: NonZeroU64, progress: Option<ProgressBar>) -> anyhow::Result<MediaCache> {
        let engine = Engine::new().map_err(|error| anyhow::anyhow!("WebAssembly does not run here: {error:#}"))?;
        let builder = MediaCache::builder()
            .directory(&self.dir)
            .max_disk_bytes(max_size_mb.saturating_mul(MEBIBYTE))
            .max_memory_items(self.max_memory_items)
            .max_memory_bytes(self.max_memory_mb.saturating_mul(MIB));
        let builder = match self.transcoder {
            TranscoderName::Embedded => builder.transcoder(EmbeddedTranscoder::default()),
            TranscoderName::Ffmpeg => builder.transcoder(FfmpegTranscoder::new("ffmpeg".into(), Limits::default())),
            TranscoderName::None => builder.transcoder(NoTranscoder),
        };
        let builder = match &self.component {
            Some(file) => builder.component(engine.cache_from_file(file)?),
            None => builder,
        };
        let builder = match &self.policy {
            PolicyName::Lru => builder,
            PolicyName::File(file) => builder.policy(engine.policy_from_file(file)?),
        };
        let http = HttpOptions {
            max_body_bytes: self.max_body_bytes(),
            spool_dir: Some(self.dir.clone()),
            progress: progress.map(|bar| Arc::new(move |received, total| show(&bar, received, total)) as _),
            ..HttpOptions::default()
        };
        // The downloader keeps large bodies in the directory while they come in, so it has to be there.
        std::fs::create_dir_all(&self.dir).with_context(|| format!("cannot use the directory {}", self.dir.display()))?;
        Ok(builder.downloader(HttpDownloader::new(http)?).engine(engine).open().await?)
    }

    /// Opens the cache for a command that is not the service. A directory that holds more than the default budget keeps what it has,
    /// unless another budget was asked for: looking at a cache must not empty it.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub async fn open_for_command(&self, max_size_mb: Option<NonZeroU64>) -> anyhow::Result<(MediaCache, ProgressBar)> {
        let bar = ProgressBar::new_spinner();
        bar.set_message(format!("loading {}", self.dir.display()));
        bar.enable_steady_tick(Duration::from_millis(100));
        let budget = match max_size_mb {
            Some(budget) => budget,
            None => NonZeroU64::new(mebibytes_in(&self.dir).max(DEFAULT_MAX_SIZE_MB)).unwrap_or(NonZeroU64::MIN),
        };
        let cache = self.open(budget, Some(bar.clone())).await;
        bar.set_message("");
        if cache.is_err() {
            bar.finish_and_clear();
        }
        Ok((cache?, bar))
    }

    /// The largest body that is downloaded or put, in bytes.
    pub fn max_body_bytes(&self) -> u64 {
        self.max_body_mb.saturating_mul(MIB)
    }
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
