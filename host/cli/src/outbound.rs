//! Limits on downloads.

use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use media_cache_http_downloader::{HttpOptions, OriginCacheControl, OriginHeader, ReuseOriginConnections, TypePattern};

/// Limits on downloads, for commands that download.
#[derive(Args)]
#[command(next_help_heading = "Downloads")]
pub struct OutboundLimits {
    /// The maximum number of redirects that are followed; 0 for none
    #[arg(long, value_name = "N", default_value_t = HttpOptions::default().max_redirects, value_parser = clap::value_parser!(u32).range(..=20))]
    max_redirects: u32,
    /// The maximum length of a URL that is fetched or redirected to, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = HttpOptions::default().max_url_bytes, value_parser = size(64, 65_534))]
    max_url_bytes: usize,
    /// The maximum size of the head of an origin's response, in KiB
    #[arg(long, value_name = "KB", default_value_t = HttpOptions::default().max_origin_header_bytes >> 10, value_parser = size(1, 256))]
    max_origin_header_kb: usize,
    /// The maximum number of headers in an origin's response
    #[arg(long, value_name = "N", default_value_t = HttpOptions::default().max_origin_headers, value_parser = size(1, 10_000))]
    max_origin_headers: usize,
    /// The maximum time for connecting to an origin, including name resolution and TLS
    #[arg(long, value_name = "SECONDS", default_value_t = HttpOptions::default().connect_timeout.as_secs(), value_parser = seconds())]
    connect_seconds: u64,
    /// The maximum time until an origin responds
    #[arg(long, value_name = "SECONDS", default_value_t = HttpOptions::default().first_byte_timeout.as_secs(), value_parser = seconds())]
    first_byte_seconds: u64,
    /// The maximum time that an origin may pause while sending a body
    #[arg(long, value_name = "SECONDS", default_value_t = HttpOptions::default().pause_timeout.as_secs(), value_parser = seconds())]
    pause_seconds: u64,
    /// The maximum time for a whole download
    #[arg(long, value_name = "SECONDS", default_value_t = HttpOptions::default().download_timeout.as_secs(), value_parser = seconds())]
    download_seconds: u64,
    /// The minimum rate at which a body must arrive, in bytes per second; 0 for none
    #[arg(long, value_name = "BYTES/S", default_value_t = HttpOptions::default().min_rate, value_parser = clap::value_parser!(u64).range(..=1 << 30))]
    min_rate: u64,
    /// The time over which --min-rate is averaged
    #[arg(long, value_name = "SECONDS", default_value_t = HttpOptions::default().min_rate_window.as_secs(), value_parser = seconds())]
    min_rate_seconds: u64,
    /// Media types to accept, such as image/*, or, with a leading !, to refuse; a list that contains only refusals restricts the
    /// default list; may be comma-separated
    #[arg(long, value_name = "TYPE", value_delimiter = ',', default_values_t = TypePattern::defaults())]
    accept_type: Vec<TypePattern>,
    /// Whether caching directives from origins are respected: `apply` stores and passes on only what they allow, `ignore` stores and passes
    /// on everything
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    origin_cache_control: OriginCacheControlName,
    /// When a connection to an origin is reused: `safely` after a response whose end is certain, or `never`
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    reuse_origin_connections: ReuseName,
    /// A header to send to origins, such as `User-Agent: bot/1`, or `*.example.org=Referer: https://example.org/` for some hosts; for
    /// several headers, repeat the option or put each on its own line; `NAME:` omits a header
    #[arg(long, value_name = "[HOST=]NAME: VALUE", value_delimiter = '\n')]
    origin_header: Vec<OriginHeader>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum OriginCacheControlName {
    #[default]
    Apply,
    Ignore,
}

impl From<OriginCacheControlName> for OriginCacheControl {
    fn from(name: OriginCacheControlName) -> Self {
        match name {
            OriginCacheControlName::Apply => Self::Apply,
            OriginCacheControlName::Ignore => Self::Ignore,
        }
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum ReuseName {
    #[default]
    Safely,
    Never,
}

impl From<ReuseName> for ReuseOriginConnections {
    fn from(name: ReuseName) -> Self {
        match name {
            ReuseName::Safely => Self::Safely,
            ReuseName::Never => Self::Never,
        }
    }
}

impl OutboundLimits {
    /// The options of a downloader with these limits.
    pub fn options(&self) -> HttpOptions {
        HttpOptions {
            max_redirects: self.max_redirects,
            max_url_bytes: self.max_url_bytes,
            max_origin_header_bytes: self.max_origin_header_kb << 10,
            max_origin_headers: self.max_origin_headers,
            connect_timeout: Duration::from_secs(self.connect_seconds),
            first_byte_timeout: Duration::from_secs(self.first_byte_seconds),
            pause_timeout: Duration::from_secs(self.pause_seconds),
            download_timeout: Duration::from_secs(self.download_seconds),
            min_rate: self.min_rate,
            min_rate_window: Duration::from_secs(self.min_rate_seconds),
            accept_types: self.accept_type.clone(),
            origin_cache_control: self.origin_cache_control.into(),
            reuse_origin_connections: self.reuse_origin_connections.into(),
            origin_headers: self.origin_header.clone(),
            ..HttpOptions::default()
        }
    }
}

/// At least a second, and at most a day.
fn seconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..=86_400)
}

/// A number of bytes, or of something else, within a range.
pub fn size(min: u64, max: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(min..=max)
}
