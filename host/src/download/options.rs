//! What a downloader over HTTP may do, and how far it goes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, InvalidHeaderValue};

use super::accept::TypePattern;
use super::access::AccessRules;
use super::matrix::Homeserver;
use super::resolve::{Resolve, SystemResolver};

/// Told, after each piece of a body, how many bytes came so far, and how many will come in all if the origin said so.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// What an [`HttpDownloader`](super::HttpDownloader) allows and how it goes about its work.
#[derive(Clone)]
pub struct HttpOptions {
    /// The largest body that is taken, in bytes. 100 MiB unless set.
    pub max_body_bytes: u64,
    /// How many redirects are followed. 5 unless set.
    pub max_redirects: u32,
    /// How many bytes a URL may have, that of a redirect included; as it is written once it is parsed. 8192 unless set.
    pub max_url_bytes: usize,
    /// How many bytes the heads of an answer may have, those of interim answers (1xx) included. In HTTP/2, where headers are
    /// compressed, they count as RFC 9113, section 6.5.2, counts them. 64 KiB unless set.
    pub max_header_bytes: usize,
    /// How many headers an answer may have. 100 unless set.
    pub max_headers: usize,
    /// How long it may take to find, connect to and agree on TLS with an origin; anew for each redirect. 10 seconds unless set.
    pub connect_timeout: Duration,
    /// How long it may take, connecting included, until an origin has answered with its headers; anew for each redirect.
    /// 30 seconds unless set.
    pub first_byte_timeout: Duration,
    /// How long an origin may pause within a body. 30 seconds unless set.
    pub idle_timeout: Duration,
    /// How long a download may take in all. 300 seconds unless set.
    pub total_timeout: Duration,
    /// How fast a body has to come, in bytes a second, on the average of each [`rate_window`](Self::rate_window). What ends within the
    /// first of them is fast enough. 512 unless set; 0 for no matter how slow.
    pub min_bytes_per_second: u64,
    /// For how long, each time, the speed of a body is measured. Only waiting for the origin counts. 20 seconds unless set, and a
    /// millisecond at least.
    pub rate_window: Duration,
    /// The media types that are taken, judged by what the origin says, by what the first bytes say where it says nothing, and, where
    /// these are a page's, by that. [`TypePattern::defaults`] unless set; see [`accepts`](super::accepts).
    pub accept_types: Vec<TypePattern>,
    /// Bodies of more bytes than this are kept in a file rather than in memory. 4 MiB unless set.
    pub spool_above: u64,
    /// The directory of those files, which have no names. The system's directory for temporary files unless set.
    pub spool_dir: Option<PathBuf>,
    /// How requests introduce themselves. The name and version of this crate unless set.
    pub user_agent: String,
    /// The pseudonym under which requests say that they were passed on (`Via`, RFC 9110, section 7.6.3), so that a service that is led
    /// to itself knows its own. None unless set.
    pub via: Option<String>,
    /// Who is told how downloads get on. It is called between pieces, and so must be quick. Nobody unless set.
    pub progress: Option<Progress>,
    /// Who may be fetched from. Unless set, whoever is at an address of the open Internet.
    pub access: AccessRules,
    /// Who knows the addresses of hosts. The system's resolver unless set.
    pub resolver: Arc<dyn Resolve>,
    /// Through whom media of Matrix (`mxc://server/id`) is fetched. It may be at any address. Nobody unless set.
    pub homeserver: Option<Homeserver>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_body_bytes: 100 * 1024 * 1024,
            max_redirects: 5,
            max_url_bytes: 8192,
            max_header_bytes: 64 * 1024,
            max_headers: 100,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(300),
            min_bytes_per_second: 512,
            rate_window: Duration::from_secs(20),
            accept_types: TypePattern::defaults(),
            spool_above: 4 * 1024 * 1024,
            spool_dir: None,
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            via: None,
            progress: None,
            access: AccessRules::default(),
            resolver: Arc::new(SystemResolver),
            homeserver: None,
        }
    }
}

impl HttpOptions {
    /// The directory in which large bodies are kept.
    pub(super) fn spool_dir(&self) -> PathBuf {
        self.spool_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Why there can be no [`HttpDownloader`](super::HttpDownloader).
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// Nothing is known by which to tell the right https origins from the wrong ones.
    #[error("the system's certificates cannot be used; is a package such as ca-certificates installed?")]
    Certificates(#[source] rustls::Error),
    /// What requests are to say of themselves cannot be said in a header.
    #[error("what is to be sent as the header {0} cannot be sent")]
    Header(HeaderName, #[source] InvalidHeaderValue),
    /// Large bodies could not be kept.
    #[error("no temporary file can be made in {}", .0.display())]
    SpoolDir(PathBuf, #[source] io::Error),
}
