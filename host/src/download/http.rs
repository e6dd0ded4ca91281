//! Media over HTTP.
//!
//! Origins are strangers. So nothing of this side goes to them but the request itself (no cookies, referer, credentials or proxy),
//! every URL is checked before it is asked for, redirects included, as is every address before it is connected to; and what comes back
//! is limited in size and in time, and is either the whole media as it is or an error.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use hyper::body::Incoming;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use super::answer::{must_be_whole_and_plain, redirect_of};
use super::body::receive;
use super::matrix::{Matrix, is_mxc};
use super::options::{HttpOptions, HttpSetupError};
use super::target::Target;
use super::transport::{Ask, Transport};
use super::{Download, Downloader, FetchError, accepts, filename_for, media_type, sniff};

const NO_HOMESERVER: &str = "media of Matrix is fetched through a homeserver, and none is configured; see --matrix-homeserver";

/// Downloads over http and https. Cheap to share; connections of HTTP/2 are kept and used again.
pub struct HttpDownloader {
    transport: Transport,
    matrix: Option<Matrix>,
    options: HttpOptions,
}

impl HttpDownloader {
    /// Makes a downloader. Reads the system's certificates and makes a temporary file, so it blocks for a moment.
    ///
    /// # Errors
    /// When the options, the system's certificates or the spool directory cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, HttpSetupError> {
        Self::with_tls(options, tls().map_err(HttpSetupError::Certificates)?)
    }

    /// Makes a downloader that trusts whom `tls` says.
    pub(super) fn with_tls(options: HttpOptions, mut tls: ClientConfig) -> Result<Self, HttpSetupError> {
        let dir = options.spool_dir();
        tempfile::tempfile_in(&dir).map_err(|error| HttpSetupError::SpoolDir(dir, error))?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let homeserver = options.homeserver.clone();
        let matrix = homeserver.map(|homeserver| Matrix::new(homeserver, &options, tls.clone())).transpose()?;
        Ok(Self { transport: Transport::new(&options, tls)?, matrix, options })
    }

    async fn download(&self, url: &str) -> Result<Download, FetchError> {
        let first = match &self.matrix {
            Some(matrix) if is_mxc(url) => matrix.request(url)?,
            None if is_mxc(url) => return Err(FetchError::InvalidUrl(NO_HOMESERVER.into())),
            _ => Ask::plain(Target::parse(url, &self.options.access)?),
        };
        self.must_be_short(&first.target).map_err(FetchError::InvalidUrl)?;
        let (target, response) = self.follow(first).await?;
        must_be_whole_and_plain(&response)?;
        let headers = response.headers().clone();
        let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if let Some(mimetype) = declared.and_then(sniff::said) {
            self.must_be_accepted(&mimetype, "it is")?;
        }
        let body = receive(response, &self.options).await?;
        let head =
            body.head(sniff::HEAD_BYTES).map_err(|error| FetchError::Other(format!("the body cannot be read again: {error}")))?;
        let mimetype = media_type(declared, &head);
        self.must_be_accepted(&mimetype, "it is")?;
        if let Some(page) = sniff::page(&head, &mimetype) {
            self.must_be_accepted(page, &format!("what comes as {mimetype} is"))?;
        }
        let filename = filename_for(headers.get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes), target.url(), &mimetype);
        Ok(Download { body, mimetype, filename })
    }

    fn must_be_accepted(&self, mimetype: &str, what: &str) -> Result<(), FetchError> {
        match accepts(&self.options.accept_types, mimetype) {
            true => Ok(()),
            false => Err(FetchError::UnacceptableType(format!("{what} {mimetype}"))),
        }
    }

    /// What is wrong with the length of a URL, if anything is.
    fn must_be_short(&self, target: &Target) -> Result<(), String> {
        let (length, limit) = (target.url().as_str().len(), self.options.max_url_bytes);
        if length > limit { Err(format!("it has {length} bytes, which is more than the limit of {limit}")) } else { Ok(()) }
    }

    /// Asks one origin after the other until one answers with something else than a redirect. Each is a checked [`Target`], and is told
    /// nothing of those before it.
    pub(super) async fn follow(&self, mut ask: Ask) -> Result<(Target, Response<Incoming>), FetchError> {
        for _ in 0..=self.options.max_redirects {
            let response = match &self.matrix {
                Some(matrix) if ask.bearer.is_some() => matrix.ask(&ask).await?,
                _ => self.transport.ask(&ask).await?,
            };
            match redirect_of(&response) {
                Some(location) => {
                    let target = ask.target.redirected(location.as_bytes(), &self.options.access)?;
                    let not_followed =
                        |why| FetchError::Refused(format!("the origin redirected to a URL that is not followed: {why}"));
                    self.must_be_short(&target).map_err(not_followed)?;
                    ask = Ask::plain(target);
                }
                None => return Ok((ask.target, response)),
            }
        }
        Err(FetchError::TooManyRedirects(self.options.max_redirects))
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
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
}
