//! Requests and answers, one at a time: what is sent, when it is sent again, and what it means that no answer came.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT, VIA};
use http::{Request, Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::FetchError;
use super::access::Denied;
use super::cause::{deepest, find};
use super::connect::{ConnectTimedOut, Connector};
use super::meter::HeadTooLarge;
use super::options::{HttpOptions, HttpSetupError};
use super::target::Target;

/// For how long connections of HTTP/2 are kept, over which several requests can be made.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the other end of a kept connection is asked whether it is there, while it is waited for, and how long it may take to say
/// so: one that went away without a word must not fail all who come after.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a request is made that is turned away because its connection is about to be closed.
const MAX_TRIES: usize = 3;

/// A request that is about to be made.
pub(super) struct Ask {
    /// What is asked for.
    pub(super) target: Target,
    /// The token with which it is asked for, if it needs one. It is for this target and no other: whoever follows a redirect makes a new
    /// request for where it leads.
    pub(super) bearer: Option<HeaderValue>,
}

impl Ask {
    /// A request that carries no token.
    pub(super) fn plain(target: Target) -> Self {
        Self { target, bearer: None }
    }
}

/// Makes requests: in HTTP/1 each over a connection of its own, in HTTP/2 over connections that are kept.
pub(super) struct Transport {
    client: Client<Connector, Empty<Bytes>>,
    headers: HeaderMap,
    connect_timeout: Duration,
    first_byte_timeout: Duration,
    max_headers: usize,
}

impl Transport {
    /// Fails where the options hold what cannot be sent.
    pub(super) fn new(options: &HttpOptions, tls: ClientConfig) -> Result<Self, HttpSetupError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http1_max_headers(options.max_headers)
            .http2_max_header_list_size(u32::try_from(options.max_header_bytes).unwrap_or(u32::MAX))
            .build(Connector::new(options, tls));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, header_value(USER_AGENT, &options.user_agent)?);
        if let Some(pseudonym) = &options.via {
            headers.insert(VIA, header_value(VIA, &format!("1.1 {pseudonym}"))?);
        }
        Ok(Self {
            client,
            headers,
            connect_timeout: options.connect_timeout,
            first_byte_timeout: options.first_byte_timeout,
            max_headers: options.max_headers,
        })
    }

    /// Makes a request, and waits for the headers of the answer.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Response<Incoming>, FetchError> {
        let limit = self.first_byte_timeout;
        let too_slow = |_| Err(FetchError::TimedOut(format!("{} did not answer within {limit:?}", ask.target.host())));
        timeout(limit, self.ask_patiently(ask)).await.unwrap_or_else(too_slow)
    }

    async fn ask_patiently(&self, ask: &Ask) -> Result<Response<Incoming>, FetchError> {
        let target = &ask.target;
        let uri = Uri::try_from(target.url().as_str()).map_err(|error| FetchError::InvalidUrl(error.to_string()))?;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut request = Request::new(Empty::new());
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = self.headers.clone();
            if let Some(bearer) = &ask.bearer {
                request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            }
            match self.client.request(request).await {
                Ok(answer) if answer.headers().len() > self.max_headers => {
                    return Err(FetchError::BrokenAnswer(format!("it has more than {} headers", self.max_headers)));
                }
                Ok(answer) => return Ok(answer),
                Err(error) if tries < MAX_TRIES && was_not_heard(&error) => {}
                Err(error) => return Err(self.no_answer(target, &error)),
            }
        }
    }

    fn no_answer(&self, target: &Target, error: &Error) -> FetchError {
        let (host, why) = (target.host(), deepest(error));
        let io = find::<io::Error>(error).map(io::Error::kind);
        if let Some(denied) = find::<Denied>(error) {
            FetchError::Refused(denied.to_string())
        } else if find::<ConnectTimedOut>(error).is_some() || (error.is_connect() && io == Some(io::ErrorKind::TimedOut)) {
            FetchError::TimedOut(format!("connecting to {host} took longer than {:?}", self.connect_timeout))
        } else if !error.is_connect() && is_no_http(error) {
            FetchError::BrokenAnswer(format!("{host}: {why}"))
        } else {
            FetchError::Unreachable(format!("{host}: {why}"))
        }
    }
}

fn header_value(name: HeaderName, value: &str) -> Result<HeaderValue, HttpSetupError> {
    HeaderValue::from_str(value).map_err(|error| HttpSetupError::Header(name, error))
}

/// Whether an origin said something that is not HTTP, or more of it than is taken.
fn is_no_http(error: &Error) -> bool {
    find::<HeadTooLarge>(error).is_some()
        || find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
        || find::<h2::Error>(error).is_some_and(|error| !error.is_io() && !error.is_remote())
}

/// Whether an HTTP/2 origin turned a request away unheard, because it was about to close the connection. It can be made again
/// (RFC 9113, section 8.7).
fn was_not_heard(error: &Error) -> bool {
    find::<h2::Error>(error).filter(|error| error.is_remote()).is_some_and(|error| match error.reason() {
        Some(h2::Reason::REFUSED_STREAM) => error.is_reset(),
        Some(h2::Reason::NO_ERROR) => error.is_go_away(),
        _ => false,
    })
}
