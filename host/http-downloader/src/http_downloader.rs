//! Downloads media over HTTP.
//!
//! Origins are untrusted. A request carries no cookies, referer or credentials except those that an operator has configured for its host,
//! and uses no proxy. Every URL is checked before it is requested, including redirects, and every address before a connection to it is
//! opened. A response is limited in size and time, and is either the whole, unmodified media or an error. Media is returned once its type
//! is known. If its body is still arriving, a separate task receives the rest, within the same limits, as long as the body has readers.

use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::body::{announced_length, receive};
use crate::cache_directives;
use crate::concurrency_limiter::{ConcurrencyLimiter, Permit};
use crate::delivery::{Delivery, Started};
use crate::file_name::filename_for;
use crate::limit_group::{LimitGroup, groups_of, groups_of_mxc};
use crate::matrix_client::MatrixClient;
use crate::media_type::SNIFFED_BYTES;
use crate::mxc::is_mxc;
use crate::options::{HttpOptions, OriginCacheControl};
use crate::requested_url::check_length;
use crate::response::{check_whole_and_plain, redirect_location};
use crate::setup_error::HttpSetupError;
use crate::spans;
use crate::target::Target;
use crate::time_limit::TimeLimit;
use crate::transport::{OriginRequest, SendError, Transport};
use crate::type_decision::{TypeDecision, check_known_type};
use crate::unused_body::discard;
use media_cache_interfaces::{CacheControl, Cacheability, Downloader, FetchError, Fetched, FetchedMedia, Validators};

const NO_HOMESERVER: &str = "Matrix media is fetched through a homeserver, but none is configured; see --matrix-homeserver";

/// How often a request to a host with busy addresses is attempted: each attempt may lead to a different address.
const MAX_CONNECTS: usize = 4;

/// Downloads media over http and https. Connections are kept for later requests, so use one downloader for many downloads.
pub struct HttpDownloader {
    transport: Transport,
    matrix: Option<MatrixClient>,
    options: Arc<HttpOptions>,
}

/// Whether media may be returned while its body is arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streaming {
    Allowed,
    /// No: the whole body is needed.
    Whole,
}

impl HttpDownloader {
    /// Creates a downloader. Blocks briefly to read the system's certificates.
    ///
    /// # Errors
    /// When the options or the system's certificates cannot be used.
    pub fn new(options: HttpOptions) -> Result<Self, HttpSetupError> {
        Self::with_tls(options, system_tls().map_err(HttpSetupError::Certificates)?)
    }

    /// Creates a downloader that verifies origins with this configuration.
    pub(crate) fn with_tls(options: HttpOptions, mut tls: ClientConfig) -> Result<Self, HttpSetupError> {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let homeserver = options.matrix_homeserver.clone();
        let matrix = homeserver.map(|homeserver| MatrixClient::new(homeserver, &options, tls.clone())).transpose()?;
        Ok(Self { transport: Transport::new(&options, tls)?, matrix, options: options.into() })
    }

    async fn download(&self, url: &str) -> Result<FetchedMedia, FetchError> {
        let request = self.first_request(url)?;
        let permit = self.acquire(&request).await?;
        let mut time = TimeLimit::new(self.options.download_timeout);
        let answer = self.follow_redirects(request, permit.as_ref(), &mut time).await?;
        self.receive_media(answer, permit, time, Streaming::Allowed).await
    }

    async fn download_if_changed(&self, url: &str, validators: &Validators) -> Result<Fetched, FetchError> {
        let request = OriginRequest { conditions: conditions(validators), ..self.first_request(url)? };
        let is_conditional = !request.conditions.is_empty();
        let permit = self.acquire(&request).await?;
        let mut time = TimeLimit::new(self.options.download_timeout);
        let answer = self.follow_redirects(request, permit.as_ref(), &mut time).await?;
        if is_conditional && answer.response.status() == StatusCode::NOT_MODIFIED {
            let cache_control = self.cache_control(answer.response.headers(), answer.credentials);
            discard(answer.response).await;
            return Ok(Fetched::NotModified(cache_control));
        }
        // The body will be compared with the stored one, so all of it is needed.
        self.receive_media(answer, permit, time, Streaming::Whole).await.map(Fetched::Media)
    }

    async fn receive_media(
        &self,
        answer: Answer,
        permit: Option<Arc<Permit>>,
        mut time: TimeLimit,
        streaming: Streaming,
    ) -> Result<FetchedMedia, FetchError> {
        let Answer { target, response, credentials, span } = answer;
        let framing = match check_whole_and_plain(&response) {
            Ok(framing) => framing,
            Err(error) => {
                discard(response).await;
                return Err(error);
            }
        };
        let headers = response.headers().clone();
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let types = Arc::new(TypeDecision::new(content_type, self.options.clone())?);
        let announced = announced_length(&response, framing, &self.options)?;
        let (started, mut start) = oneshot::channel();
        let started = (streaming == Streaming::Allowed).then_some(started);
        let mut receiving = Box::pin({
            let (options, types, receiving) = (self.options.clone(), types.clone(), span.clone());
            async move {
                let _permit = permit;
                let mut delivery = Delivery::new(&options, announced, types.clone(), started);
                let receiving = time.run(receive(response, framing, announced, &options, &types, &mut delivery));
                let received = until_closed(options.limiter.as_ref(), async { receiving.await? }).await;
                spans::record_body(&span, delivery.received_bytes(), received.as_ref().map(|_| ()));
                delivery.end(received).await
            }
            .instrument(receiving)
            .fuse()
        });
        let body = tokio::select! {
            biased;
            Ok(started) = &mut start => Err(started),
            received = &mut receiving => match received? {
                Some(body) => Ok(body),
                None => Err(start.try_recv().map_err(|_| FetchError::Other("the body was not received".into()))?),
            },
        };
        let (body, mimetype) = match body {
            Ok(body) => {
                let start = body.head(SNIFFED_BYTES);
                let start = start.map_err(|error| FetchError::Other(format!("cannot read back the received body: {error}")))?;
                let mimetype = types.decide(&start)?;
                (body, mimetype)
            }
            Err(Started { body, mimetype, abandoned }) => {
                tokio::spawn(async move {
                    let mut abandoned = pin!(abandoned.wait());
                    tokio::select! {
                        () = &mut abandoned => {}
                        _ = receiving => {}
                    }
                });
                (body, mimetype)
            }
        };
        let filename = filename_for(headers.get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes), target.url(), &mimetype);
        let (cache_control, validators) = (self.cache_control(&headers, credentials), cache_directives::validators(&headers));
        Ok(FetchedMedia { cache_control, validators, ..FetchedMedia::new(body, mimetype, filename) })
    }

    /// Which caches may store a response. Media that was fetched with the operator's credentials is meant for this cache and its clients. A
    /// homeserver is unaware of this cache, so its directives are ignored.
    fn cache_control(&self, headers: &HeaderMap, credentials: Credentials) -> CacheControl {
        let had_credentials = credentials != Credentials::None;
        match self.options.origin_cache_control {
            OriginCacheControl::Apply if credentials != Credentials::Homeserver => {
                cache_directives::cache_control(headers, SystemTime::now(), had_credentials)
            }
            _ if had_credentials => CacheControl { cacheability: Cacheability::Private, ..CacheControl::default() },
            _ => CacheControl::default(),
        }
    }

    fn first_request(&self, url: &str) -> Result<OriginRequest, FetchError> {
        let request = match &self.matrix {
            Some(matrix) if is_mxc(url) => matrix.request(url)?,
            None if is_mxc(url) => return Err(FetchError::InvalidUrl(NO_HOMESERVER.into())),
            _ => OriginRequest::anonymous(Target::parse(url, &self.options.access)?),
        };
        self.check_url_length(&request.target).map_err(FetchError::InvalidUrl)?;
        Ok(request)
    }

    fn check_url_length(&self, target: &Target) -> Result<(), String> {
        check_length(target.url(), self.options.max_url_bytes)
    }

    /// Sends requests until a response is not a redirect. Each target is checked. A request discloses nothing about earlier targets except
    /// the validators of a conditional request.
    pub(crate) async fn follow_redirects(
        &self,
        mut request: OriginRequest,
        permit: Option<&Arc<Permit>>,
        time: &mut TimeLimit,
    ) -> Result<Answer, FetchError> {
        let mut credentials = Credentials::None;
        for _ in 0..=self.options.max_redirects {
            credentials = credentials.max(match &request.authorization {
                Some(_) => Credentials::Homeserver,
                None if self.transport.sends_credentials(&request) => Credentials::Chosen,
                None => Credentials::None,
            });
            let span = spans::of_request(&request.target);
            let sent = self.send(&request, permit, time).instrument(span.clone()).await;
            spans::record_response(&span, sent.as_ref());
            let response = sent?;
            let Some(location) = redirect_location(&response) else {
                return Ok(Answer { target: request.target, response, credentials, span });
            };
            let target = request.target.redirect(location.as_bytes(), &self.options.access)?;
            let refused = |reason| FetchError::Refused(format!("the origin redirected to a URL that cannot be fetched: {reason}"));
            self.check_url_length(&target).map_err(refused)?;
            discard(response).await;
            // Origins redirect to where they keep the media, so the validators belong to the target.
            request = OriginRequest { conditions: request.conditions, ..OriginRequest::anonymous(target) };
            if let Some(permit) = permit {
                permit.redirect(groups(&request)).await?;
            }
        }
        Err(FetchError::TooManyRedirects(self.options.max_redirects))
    }

    /// Waits for a permit, if there is a limiter.
    async fn acquire(&self, request: &OriginRequest) -> Result<Option<Arc<Permit>>, FetchError> {
        match &self.options.limiter {
            Some(limiter) => Ok(Some(Arc::new(limiter.acquire(groups(request)).await?))),
            None => Ok(None),
        }
    }

    /// Sends one request. If the address that it would go to is busy, the download waits for the address without holding a general permit.
    async fn send(
        &self,
        request: &OriginRequest,
        permit: Option<&Arc<Permit>>,
        time: &mut TimeLimit,
    ) -> Result<Response<Incoming>, FetchError> {
        for _ in 0..MAX_CONNECTS {
            let sent = match &self.matrix {
                Some(matrix) if request.authorization.is_some() => time.run(matrix.send(request, permit)).await?,
                _ => time.run(self.transport.send(request, permit)).await?,
            };
            match (sent, permit) {
                (Ok(response), _) => return Ok(response),
                (Err(SendError::AddressBusy(address)), Some(permit)) => permit.wait_for_address(address).await?,
                (Err(SendError::AddressBusy(_)), None) => break,
                (Err(SendError::Failed(error)), _) => return Err(error),
            }
        }
        Err(FetchError::Overloaded(None))
    }
}

/// The last response of a download.
pub(crate) struct Answer {
    target: Target,
    response: Response<Incoming>,
    credentials: Credentials,
    /// The span of the request.
    span: Span,
}

/// The credentials that the requests of a download carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Credentials {
    None,
    /// Headers that the operator configured for the origin.
    Chosen,
    /// The token for the homeserver.
    Homeserver,
}

/// The groups whose limits apply to a request. Only requests for Matrix media have an `authorization`.
fn groups(request: &OriginRequest) -> Vec<LimitGroup> {
    if request.authorization.is_some() { groups_of_mxc() } else { groups_of(request.target.url()) }
}

/// Ends a download when the limiter is closed.
async fn until_closed<T>(
    limiter: Option<&ConcurrencyLimiter>,
    download: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let Some(limiter) = limiter else { return download.await };
    tokio::select! {
        biased;
        () = limiter.closed() => Err(FetchError::Overloaded(None)),
        result = download => result,
    }
}

impl Downloader for HttpDownloader {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        Box::pin(until_closed(self.options.limiter.as_ref(), self.download(url)))
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(until_closed(self.options.limiter.as_ref(), self.download_if_changed(url, validators)))
    }

    fn check(&self, url: &str, media: Option<(&str, u64)>) -> Result<(), FetchError> {
        self.first_request(url)?;
        let Some((mimetype, bytes)) = media else { return Ok(()) };
        if bytes > self.options.max_body_bytes {
            return Err(FetchError::TooLarge(self.options.max_body_bytes));
        }
        check_known_type(&self.options, mimetype)
    }
}

/// The headers that request media only if it differs from this version (RFC 9110, section 13.1).
fn conditions(validators: &Validators) -> HeaderMap {
    let conditions = [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)];
    let values = conditions.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value.as_deref()?).ok()?)));
    values.collect()
}

/// Verifies origins with the system's certificates. The cryptography provider is set here, so it does not depend on the rest of the
/// process.
fn system_tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_platform_verifier()?.with_no_client_auth())
}
