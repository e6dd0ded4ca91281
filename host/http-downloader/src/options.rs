//! The options of an [`HttpDownloader`](crate::http_downloader::HttpDownloader). Those with a command line flag are named after it.

use std::sync::Arc;
use std::time::Duration;

use crate::accepted_types::TypePattern;
use crate::access_rules::AccessRules;
use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::homeserver::Homeserver;
use crate::origin_connections::OriginConnections;
use crate::origin_header::OriginHeader;
use crate::resolver::{Resolve, SystemResolver};
use media_cache_interfaces::Spool;

/// Called after each chunk of a body with the number of bytes received so far, and the total number if the origin declared it.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// Whether the caching directives of origins are applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OriginCacheControl {
    /// Media is stored and passed on only as far as its origin allows.
    #[default]
    Apply,
    /// Everything is stored, and passed on without the origin's restrictions.
    Ignore,
}

/// Whether an HTTP/1 connection to an origin serves several requests, one after the other. HTTP/2 connections always do, since their
/// responses cannot be mixed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReuseOriginConnections {
    /// A connection is reused only after a response whose end is unambiguous, only for the same scheme, host, port and address, and only if
    /// nothing else has arrived on it.
    #[default]
    Safely,
    /// Each request has its own connection.
    Never,
}

/// The options of an [`HttpDownloader`](crate::http_downloader::HttpDownloader).
#[derive(Clone)]
pub struct HttpOptions {
    /// The maximum size of a body, in bytes. 100 MiB by default.
    pub max_body_bytes: u64,
    /// The maximum number of redirects that are followed. 5 by default.
    pub max_redirects: u32,
    /// The maximum length of a URL after parsing, in bytes. This also applies to redirects. 8192 by default.
    pub max_url_bytes: usize,
    /// The maximum size of a response head, in bytes, including interim responses (1xx). In HTTP/2, where headers are compressed, the size
    /// is calculated as in RFC 9113, section 6.5.2. 64 KiB by default.
    pub max_origin_header_bytes: usize,
    /// The maximum number of headers of a response. 100 by default.
    pub max_origin_headers: usize,
    /// The maximum time to resolve a name, connect and complete the TLS handshake. It starts again for each redirect. 10 seconds by
    /// default.
    pub connect_timeout: Duration,
    /// The maximum time until an origin has sent its headers, including connecting. It starts again for each redirect. 30 seconds by
    /// default.
    pub first_byte_timeout: Duration,
    /// How long an origin may pause within a body. 30 seconds by default.
    pub pause_timeout: Duration,
    /// The maximum time for a whole download, excluding the time spent waiting for permits. 300 seconds by default.
    pub download_timeout: Duration,
    /// The minimum rate of a body, in bytes per second, as an average over each [`min_rate_window`](Self::min_rate_window). A body that
    /// ends within the first window is fast enough. 512 by default; 0 for no limit.
    pub min_rate: u64,
    /// The period over which the rate of a body is averaged, at least a millisecond. Only time spent waiting for the origin counts.
    /// 20 seconds by default.
    pub min_rate_window: Duration,
    /// The accepted media types. They apply to the type determined by [`media_type`](crate::media_type::media_type), and to HTML that is
    /// declared as something else. [`TypePattern::defaults`] by default; a list of exclusions only restricts these, see
    /// [`accepts`](crate::accepted_types::accepts).
    pub accept_types: Vec<TypePattern>,
    /// Whether the caching directives of origins are applied. Media that is fetched with a token is always private.
    /// [`OriginCacheControl::Apply`] by default.
    pub origin_cache_control: OriginCacheControl,
    /// The maximum size of a body that is kept in memory, in bytes. A larger one is spooled to a file. 4 MiB by default.
    pub spool_above: u64,
    /// The directory for spooled bodies, whose files are unnamed. A cache that stores downloads has its own spool: see `Builder::spool` in
    /// the crate `media-cache`. The system's directory for temporary files by default.
    pub spool: Arc<Spool>,
    /// The media types, without parameters, whose bodies are returned only once they are complete: those that a transcoder accepts, since
    /// it needs the whole body. A body of any other type is returned once its type is known, and may then still be
    /// [arriving](media_cache_interfaces::Blob::finished). `image/gif` by default.
    pub whole_types: Vec<String>,
    /// The `User-Agent` of requests. `media-cache/` and the version by default.
    pub user_agent: String,
    /// Additional headers of requests, which replace the default ones of the same name (`Accept: */*` and the `User-Agent`). None by
    /// default.
    pub origin_headers: Vec<OriginHeader>,
    /// The pseudonym in the `Via` of requests (RFC 9110, section 7.6.3), by which a service recognises its own requests. None by default.
    pub via: Option<String>,
    /// A callback for the progress of downloads. It runs between chunks, so it must be quick. None by default.
    pub progress: Option<Progress>,
    /// The origins that may be fetched from. Every public address by default.
    pub access: AccessRules,
    /// Resolves host names. The system's resolver by default.
    pub resolver: Arc<dyn Resolve>,
    /// Limits the number of concurrent downloads, across all downloaders with the same limiter. No limit by default.
    pub limiter: Option<ConcurrencyLimiter>,
    /// Whether connections serve several requests. [`ReuseOriginConnections::Safely`] by default.
    pub reuse_origin_connections: ReuseOriginConnections,
    /// The connections that are kept for later requests, and their counts. Downloaders with the same value share the limits: at most as
    /// many connections as concurrent downloads are allowed, in total and per host. By default, each downloader has its own.
    pub origin_connections: OriginConnections,
    /// The homeserver through which Matrix media (`mxc://server/id`) is fetched. It may have any address. None by default.
    pub matrix_homeserver: Option<Homeserver>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_body_bytes: 100 * 1024 * 1024,
            max_redirects: 5,
            max_url_bytes: 8192,
            max_origin_header_bytes: 64 * 1024,
            max_origin_headers: 100,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            pause_timeout: Duration::from_secs(30),
            download_timeout: Duration::from_secs(300),
            min_rate: 512,
            min_rate_window: Duration::from_secs(20),
            accept_types: TypePattern::defaults(),
            origin_cache_control: OriginCacheControl::default(),
            spool_above: 4 * 1024 * 1024,
            spool: Spool::temporary(),
            whole_types: vec!["image/gif".into()],
            user_agent: concat!("media-cache/", env!("CARGO_PKG_VERSION")).to_owned(),
            origin_headers: Vec::new(),
            via: None,
            progress: None,
            access: AccessRules::default(),
            resolver: Arc::new(SystemResolver),
            limiter: None,
            reuse_origin_connections: ReuseOriginConnections::default(),
            origin_connections: OriginConnections::default(),
            matrix_homeserver: None,
        }
    }
}
