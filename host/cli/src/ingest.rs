//! Ingest: downloads and their limits, and conversion.

use std::sync::Arc;

use clap::Args;
use indicatif::ProgressBar;
use media_cache::{Downloader, Spool, Transcoder};
use media_cache_http_downloader::{ConcurrencyLimiter, HttpDownloader, HttpOptions, OriginConnections, Retry};

use crate::access::Access;
use crate::download_queue::Retries;
use crate::gif::GifOptions;
use crate::matrix::Matrix;
use crate::outbound::OutboundLimits;
use crate::progress;
use crate::storage::MIB;

/// Downloads and conversion, for commands that store something.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct Ingest {
    #[command(flatten)]
    limit: BodyLimit,
    #[command(flatten)]
    retries: Retries,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    matrix: Matrix,
    #[command(flatten)]
    outbound: OutboundLimits,
    #[command(flatten)]
    gif: GifOptions,
}

/// The limit on the size of bodies.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct BodyLimit {
    /// The maximum size of a body that is downloaded, put or imported, in MiB
    #[arg(long, value_name = "MB", default_value_t = HttpOptions::default().max_body_bytes / MIB)]
    max_body_mb: u64,
}

impl BodyLimit {
    /// The same in bytes.
    pub fn bytes(&self) -> u64 {
        self.max_body_mb.saturating_mul(MIB)
    }
}

impl Ingest {
    /// A downloader with these options, which uses this limiter and these connections, and stores large bodies in `spool` as they arrive.
    /// `progress`, if given, shows the progress of downloads; `via` names the service that downloads.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn downloader(
        &self,
        spool: Arc<Spool>,
        limiter: ConcurrencyLimiter,
        connections: OriginConnections,
        progress: Option<ProgressBar>,
        via: Option<String>,
    ) -> anyhow::Result<impl Downloader + use<>> {
        let options = HttpOptions {
            max_body_bytes: self.max_body_bytes(),
            access: self.access.rules(),
            matrix_homeserver: self.matrix.homeserver()?,
            progress: progress.map(|bar| Arc::new(move |received, total| progress::downloaded(&bar, received, total)) as _),
            via,
            spool,
            whole_types: self.gif.transcoder().accepted_types(),
            limiter: Some(limiter),
            origin_connections: connections,
            ..self.outbound.options()
        };
        let retries = self.retries.options(options.download_timeout);
        // Each attempt acquires its own permits, so that none is held during a backoff.
        Ok(Retry::new(HttpDownloader::new(options)?, retries))
    }

    /// The same options with another limit on bodies, in MiB.
    #[must_use]
    pub fn with_max_body_mb(self, max_body_mb: u64) -> Self {
        Self { limit: BodyLimit { max_body_mb }, ..self }
    }

    /// The maximum size of a body that is downloaded or put, in MiB.
    pub fn max_body_mb(&self) -> u64 {
        self.limit.max_body_mb
    }

    /// The transcoder of these options.
    pub fn transcoder(&self) -> Arc<dyn Transcoder> {
        self.gif.transcoder()
    }

    /// The number of conversions that another program may perform at the same time.
    pub fn external_conversions(&self) -> usize {
        self.gif.external_conversions()
    }

    /// Checks that the transcoder's program, if it has one, can be run.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn check_converter(&self) -> anyhow::Result<()> {
        self.gif.check_converter().await
    }

    /// The space that one more entry may take, in MiB: its body, or the video that it is converted to, and its sidecar.
    pub fn room(&self) -> u64 {
        self.limit.max_body_mb.max(self.gif.max_video_mb()).saturating_add(1)
    }

    /// The maximum size of a body that is downloaded or put, in bytes.
    pub fn max_body_bytes(&self) -> u64 {
        self.limit.bytes()
    }
}
