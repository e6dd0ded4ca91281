//! Media over HTTP.
//!
//! Origins are strangers. So nothing of this side goes to them but the request itself (no cookies, referer, credentials or proxy),
//! every URL is checked before it is asked for, redirects included, and what comes back is limited in size and in time, and is
//! either the whole media as it is or an error.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{
    ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, TRANSFER_ENCODING, VIA,
};
use reqwest::{Client, Response, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use super::access::AccessRules;
use super::body::receive;
use super::resolve::{CheckedResolver, Resolve, SystemResolver, denied};
use super::target::Target;
use super::{Download, Downloader, FetchError, filename_for, media_type, sniff};

/// How much of what an origin wrote goes into a message, in bytes.
const LONGEST_SHOWN: usize = 40;

/// Told, after each piece of a body, how many bytes came so far, and how many will come in all if the origin said so.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// What an [`HttpDownloader`] allows and how it goes about its work.
#[derive(Clone)]
pub struct HttpOptions {
    /// The largest body that is taken, in bytes. 100 MiB unless set.
    pub max_body_bytes: u64,
    /// How many redirects are followed. 5 unless set.
    pub max_redirects: u32,
    /// How long it may take to find, connect to and agree on TLS with an origin; anew for each redirect. 10 seconds unless set.
    pub connect_timeout: Duration,
    /// How long it may take, connecting included, until an origin has answered with its headers; anew for each redirect.
    /// 30 seconds unless set.
    pub first_byte_timeout: Duration,
    /// How long an origin may pause within a body. 30 seconds unless set.
    pub idle_timeout: Duration,
    /// How long a download may take in all. 300 seconds unless set.
    pub total_timeout: Duration,
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
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_body_bytes: 100 * 1024 * 1024,
            max_redirects: 5,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(300),
            spool_above: 4 * 1024 * 1024,
            spool_dir: None,
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            via: None,
            progress: None,
            access: AccessRules::default(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl HttpOptions {
    /// The directory in which large bodies are kept.
    pub(super) fn spool_dir(&self) -> PathBuf {
        self.spool_dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Why there can be no [`HttpDownloader`].
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// Nothing is known by which to tell the right https origins from the wrong ones.
    #[error("the system's certificates cannot be used; is a package such as ca-certificates installed?")]
    Certificates(#[source] rustls::Error),
    /// The options are not such as a client can be made of.
    #[error("no HTTP client can be made of these options")]
    Client(#[source] reqwest::Error),
    /// Large bodies could not be kept.
    #[error("no temporary file can be made in {}", .0.display())]
    SpoolDir(PathBuf, #[source] io::Error),
}

/// Downloads over http and https. Cheap to share; connections are kept and used again.
pub struct HttpDownloader {
    client: Client,
    options: HttpOptions,
}

impl HttpDownloader {
    /// Makes a downloader. Reads the system's certificates and makes a temporary file, so it blocks for a moment.
    ///
    /// # Errors
    /// When the options, the system's certificates or the spool directory cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, HttpSetupError> {
        let dir = options.spool_dir();
        tempfile::tempfile_in(&dir).map_err(|error| HttpSetupError::SpoolDir(dir, error))?;
        let resolver = CheckedResolver::new(options.resolver.clone(), Arc::new(options.access.clone()));
        let mut headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]);
        if let Some(via) = options.via.as_ref().and_then(|pseudonym| HeaderValue::try_from(format!("1.1 {pseudonym}")).ok()) {
            headers.insert(VIA, via);
        }
        let client = Client::builder()
            .dns_resolver(Arc::new(resolver))
            .tls_backend_preconfigured(tls().map_err(HttpSetupError::Certificates)?)
            .user_agent(options.user_agent.as_str())
            .default_headers(headers)
            .connect_timeout(options.connect_timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .build()
            .map_err(HttpSetupError::Client)?;
        Ok(Self { client, options })
    }

    async fn download(&self, url: &str) -> Result<Download, FetchError> {
        let (target, response) = self.follow(Target::parse(url, &self.options.access)?).await?;
        must_be_whole_and_plain(&response)?;
        let headers = response.headers().clone();
        let body = receive(response, &self.options).await?;
        let head =
            body.head(sniff::HEAD_BYTES).map_err(|error| FetchError::Other(format!("the body cannot be read again: {error}")))?;
        let mimetype = media_type(headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()), &head);
        let filename = filename_for(headers.get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes), target.url(), &mimetype);
        Ok(Download { body, mimetype, filename })
    }

    /// Asks one origin after the other until one answers with something else than a redirect. Each is a checked [`Target`].
    async fn follow(&self, mut target: Target) -> Result<(Target, Response), FetchError> {
        for _ in 0..=self.options.max_redirects {
            let response = self.ask(&target).await?;
            match redirect_of(&response) {
                Some(location) => target = target.redirected(location.as_bytes(), &self.options.access)?,
                None => return Ok((target, response)),
            }
        }
        Err(FetchError::TooManyRedirects(self.options.max_redirects))
    }

    /// Makes one request, and waits for the headers of the answer.
    async fn ask(&self, target: &Target) -> Result<Response, FetchError> {
        let request = self.client.get(target.url().clone()).send();
        match timeout(self.options.first_byte_timeout, request).await {
            Ok(Ok(answer)) => self.check_peer(answer),
            Ok(Err(error)) => Err(self.no_answer(target, error)),
            Err(_) => {
                let limit = self.options.first_byte_timeout;
                Err(FetchError::TimedOut(format!("{} did not answer within {limit:?}", target.host())))
            }
        }
    }

    /// Looks once more at who answered, before anything of the answer is used: what was resolved need not be what was connected to.
    fn check_peer(&self, response: Response) -> Result<Response, FetchError> {
        let peer = response.remote_addr().ok_or_else(|| FetchError::Refused("nobody knows who answered".into()))?;
        self.options.access.check_address(peer.ip()).map_err(|why| FetchError::Refused(why.to_string()))?;
        Ok(response)
    }

    fn no_answer(&self, target: &Target, error: reqwest::Error) -> FetchError {
        let host = target.host();
        if let Some(why) = denied(&error) {
            FetchError::Refused(why.to_string())
        } else if error.is_builder() {
            FetchError::InvalidUrl(cause(error))
        } else if error.is_timeout() {
            FetchError::TimedOut(format!("connecting to {host} took longer than {:?}", self.options.connect_timeout))
        } else {
            FetchError::Unreachable(format!("{host}: {}", cause(error)))
        }
    }
}

impl Downloader for HttpDownloader {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>> {
        Box::pin(async move {
            let limit = self.options.total_timeout;
            let too_slow = |_| Err(FetchError::TimedOut(format!("the download was not done within {limit:?}")));
            timeout(limit, self.download(url)).await.unwrap_or_else(too_slow)
        })
    }
}

/// The TLS that is spoken: by a provider of our own choice rather than the process's, so that nobody else's choice matters.
fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Where a response sends us on to, if it does.
fn redirect_of(response: &Response) -> Option<&HeaderValue> {
    let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(LOCATION).filter(|_| redirects)
}

/// Whether a response brings the whole media, as it is, judged by its status and headers.
fn must_be_whole_and_plain(response: &Response) -> Result<(), FetchError> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::PARTIAL_CONTENT => return Err(FetchError::PartialBody),
        StatusCode::NOT_FOUND => return Err(FetchError::NotFound),
        StatusCode::GONE => return Err(FetchError::Gone),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            return Err(FetchError::Unavailable { retry_after_seconds: seconds });
        }
        other => return Err(FetchError::OriginStatus(other.as_u16())),
    }
    must_not_be_coded(response, CONTENT_ENCODING, "identity")?;
    must_not_be_coded(response, TRANSFER_ENCODING, "chunked")
}

/// Compression that was not asked for is not undone, and what is compressed must not pass for the media.
fn must_not_be_coded(response: &Response, header: HeaderName, allowed: &str) -> Result<(), FetchError> {
    let values = response.headers().get_all(&header).into_iter();
    let mut codings = values.flat_map(|value| value.as_bytes().split(|&b| b == b',')).map(<[u8]>::trim_ascii);
    match codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(allowed.as_bytes())) {
        Some(coding) => {
            let shown = coding[..coding.len().min(LONGEST_SHOWN)].escape_ascii();
            Err(FetchError::EncodedBody(shown.to_string()))
        }
        None => Ok(()),
    }
}

/// What lies at the bottom of a failure: the errors above it say less. Never names the URL, which may hold secrets.
pub(super) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
