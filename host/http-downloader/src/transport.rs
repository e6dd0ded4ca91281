//! Sends one request and waits for its response. This module determines which headers a request has, when it is sent again, and which error
//! is returned if there is no response.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT, VIA};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::access_rules::Denied;
use crate::address_claim::{AddressBusy, AddressClaim, on_behalf_of};
use crate::byte_counter::{ByteCounter, HeadTooLarge};
use crate::concurrency_limiter::Permit;
use crate::connection_attempt::ConnectionAttempt;
use crate::connector::{ConnectTimedOut, Connector};
use crate::error_cause::{find_cause, root_cause};
use crate::kept_addresses::KeptAddresses;
use crate::options::{HttpOptions, ReuseOriginConnections};
use crate::origin_connections::OriginConnections;
use crate::origin_header::{self, OriginHeader};
use crate::response::{keep_alive_timeout, reusable_after};
use crate::runtime_clients::RuntimeClients;
use crate::setup_error::HttpSetupError;
use crate::target::Target;
use media_cache_interfaces::FetchError;

/// How long idle HTTP/2 connections are kept for later requests.
const KEEP_IDLE: Duration = Duration::from_secs(30);

/// How often a kept connection is pinged while a response is pending, and how long the pong may take. A peer that has disappeared must not
/// make all later requests fail.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of times that a request is sent if its connection is closed before the origin has processed it.
const MAX_ATTEMPTS: usize = 3;

/// A request to an origin.
pub(crate) struct OriginRequest {
    pub(crate) target: Target,
    /// The `Authorization` header, if the target needs one. It is sent only to this target: a redirect is followed with a new request.
    pub(crate) authorization: Option<HeaderValue>,
    /// The conditions, if the media was fetched before.
    pub(crate) conditions: HeaderMap,
}

impl OriginRequest {
    /// A request without authorization.
    pub(crate) fn anonymous(target: Target) -> Self {
        Self { target, authorization: None, conditions: HeaderMap::new() }
    }
}

/// Why there is no response.
pub(crate) enum SendError {
    /// There is currently no permit for the address. The connection was not used.
    AddressBusy(IpAddr),
    /// The request failed.
    Failed(FetchError),
}

impl From<FetchError> for SendError {
    fn from(error: FetchError) -> Self {
        Self::Failed(error)
    }
}

impl From<AddressBusy> for SendError {
    fn from(AddressBusy(address): AddressBusy) -> Self {
        Self::AddressBusy(address)
    }
}

/// Sends requests, over connections that are kept for later requests where that is safe.
pub(crate) struct Transport {
    clients: RuntimeClients,
    reuse: ReuseOriginConnections,
    connections: OriginConnections,
    kept: KeptAddresses,
    headers: HeaderMap,
    origin_headers: Vec<OriginHeader>,
    connect_timeout: Duration,
    first_byte_timeout: Duration,
    max_headers: usize,
}

impl Transport {
    /// Fails if an option cannot be sent as a header.
    pub(crate) fn new(options: &HttpOptions, tls: ClientConfig) -> Result<Self, HttpSetupError> {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http1_max_headers(options.max_origin_headers)
            .http2_max_header_list_size(u32::try_from(options.max_origin_header_bytes).unwrap_or(u32::MAX));
        Ok(Self {
            clients: RuntimeClients::new(builder, Connector::new(options, tls)),
            reuse: options.reuse_origin_connections,
            connections: options.origin_connections.clone(),
            kept: KeptAddresses::new(KEEP_IDLE),
            headers: request_headers(options)?,
            origin_headers: options.origin_headers.clone(),
            connect_timeout: options.connect_timeout,
            first_byte_timeout: options.first_byte_timeout,
            max_headers: options.max_origin_headers,
        })
    }

    /// Sends a request for the download with this permit, and waits for the headers of the response.
    pub(crate) async fn send(
        &self,
        request: &OriginRequest,
        permit: Option<&Arc<Permit>>,
    ) -> Result<Response<Incoming>, SendError> {
        let limit = self.first_byte_timeout;
        let too_slow = |_| Err(FetchError::TimedOut(format!("{} did not respond within {limit:?}", request.target.host())).into());
        timeout(limit, on_behalf_of(permit, self.send_until_processed(request))).await.unwrap_or_else(too_slow)
    }

    /// The headers of a request.
    fn headers_of(&self, request: &OriginRequest) -> HeaderMap {
        let mut headers = self.headers.clone();
        origin_header::apply(&self.origin_headers, request.target.url(), &mut headers);
        if let Some(authorization) = &request.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers.extend(request.conditions.clone());
        headers
    }

    /// Whether a request carries credentials, in which case its response may be meant only for their owner.
    pub(crate) fn sends_credentials(&self, request: &OriginRequest) -> bool {
        let chosen = origin_header::apply(&self.origin_headers, request.target.url(), &mut HeaderMap::new());
        chosen || request.authorization.is_some()
    }

    async fn send_until_processed(&self, request: &OriginRequest) -> Result<Response<Incoming>, SendError> {
        let target = &request.target;
        let uri = Uri::try_from(target.url().as_str()).map_err(|error| FetchError::InvalidUrl(error.to_string()))?;
        let headers = self.headers_of(request);
        let client = self.clients.current();
        let mut attempts = 0;
        let mut may_reuse = self.reuse == ReuseOriginConnections::Safely;
        loop {
            attempts += 1;
            let choice = ConnectionAttempt::new(may_reuse);
            let mut attempt = Request::new(Empty::new());
            *attempt.uri_mut() = uri.clone();
            *attempt.headers_mut() = headers.clone();
            let connection = capture_connection(&mut attempt);
            let (claim, sent) = (AddressClaim::current(), Instant::now());
            if let Some(address) = self.kept.of(&uri, sent) {
                claim.claim(address)?;
            }
            let response = tokio::select! {
                biased;
                busy = claim.refused(connection) => return Err(busy.into()),
                response = choice.run(client.request(attempt)) => response,
            };
            if choice.has_reused() && is_stale(&response) {
                // The origin has probably closed the connection in the meantime. In any case, the request is sent again over a new
                // connection, as if connections were never reused.
                self.connections.count_retried();
                may_reuse = false;
                continue;
            }
            match response {
                Ok(response) if response.headers().len() > self.max_headers => {
                    return Err(FetchError::BrokenAnswer(format!("it has more than {} headers", self.max_headers)).into());
                }
                Ok(response) => {
                    if choice.has_reused() {
                        self.connections.count_reused();
                    }
                    self.permit_reuse(&response);
                    self.kept.note(&uri, &response, sent);
                    return Ok(response);
                }
                Err(error) if attempts < MAX_ATTEMPTS && is_unprocessed(&error) => {}
                Err(error) => return Err(self.no_response(target, &error)),
            }
        }
    }

    /// Permits another request over the connection of a response, if the head of the response allows it.
    fn permit_reuse(&self, response: &Response<Incoming>) {
        let counter = response.extensions().get::<ByteCounter>();
        if let (ReuseOriginConnections::Safely, Some(counter), Some(framing)) = (self.reuse, counter, reusable_after(response)) {
            counter.permit_reuse(framing, keep_alive_timeout(response.headers()));
        }
    }

    /// Why there is no response.
    fn no_response(&self, target: &Target, error: &Error) -> SendError {
        if let Some(busy) = find_cause::<AddressBusy>(error) {
            return (*busy).into();
        }
        let (host, cause) = (target.host(), root_cause(error));
        let io = find_cause::<io::Error>(error).map(io::Error::kind);
        let failure = if let Some(denied) = find_cause::<Denied>(error) {
            FetchError::Refused(denied.to_string())
        } else if find_cause::<ConnectTimedOut>(error).is_some() || (error.is_connect() && io == Some(io::ErrorKind::TimedOut)) {
            FetchError::TimedOut(format!("connecting to {host} took longer than {:?}", self.connect_timeout))
        } else if !error.is_connect() && is_invalid_http(error) {
            FetchError::BrokenAnswer(format!("{host}: {cause}"))
        } else {
            FetchError::Unreachable(format!("{host}: {cause}"))
        };
        failure.into()
    }
}

/// The headers of every request.
fn request_headers(options: &HttpOptions) -> Result<HeaderMap, HttpSetupError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, header_value(USER_AGENT, &options.user_agent)?);
    if let Some(pseudonym) = &options.via {
        headers.insert(VIA, header_value(VIA, &format!("1.1 {pseudonym}"))?);
    }
    Ok(headers)
}

fn header_value(name: HeaderName, value: &str) -> Result<HeaderValue, HttpSetupError> {
    HeaderValue::from_str(value).map_err(|error| HttpSetupError::Header(name, error))
}

/// Whether the origin sent something that is not HTTP, or more headers than are accepted.
fn is_invalid_http(error: &Error) -> bool {
    find_cause::<HeadTooLarge>(error).is_some()
        || find_cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
        || find_cause::<h2::Error>(error).is_some_and(|error| !error.is_io() && !error.is_remote())
}

/// Whether a request over a reused connection probably failed because of the reuse: the connection ended, or something other than a
/// response arrived. Some origins send a 408 before they close an idle connection (RFC 9110, section 15.5.9).
fn is_stale<B>(response: &Result<Response<B>, Error>) -> bool {
    match response {
        Ok(response) => response.status() == StatusCode::REQUEST_TIMEOUT,
        Err(error) => find_cause::<AddressBusy>(error).is_none() && find_cause::<HeadTooLarge>(error).is_none(),
    }
}

/// Whether an HTTP/2 origin did not process the request, because it was about to close the connection. Such a request can safely be sent
/// again (RFC 9113, section 8.7).
fn is_unprocessed(error: &Error) -> bool {
    find_cause::<h2::Error>(error).filter(|error| error.is_remote()).is_some_and(|error| match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
        Some(h2::Reason::NO_ERROR) => error.is_go_away(),
        _ => false,
    })
}
