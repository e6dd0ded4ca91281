//! Connects to origins.
//!
//! A connection is set up in this order: TCP to an address that the checked resolver returned; a second check of that address, and the
//! claim of a permit for it, before a byte is sent; TLS for https; and a [`CountedStream`] around it. Proxies in the environment are
//! ignored.
//!
//! A connection that an earlier request has used is reused only after the same steps: the name is resolved, all its addresses are checked,
//! and the connection leads to one of them.

use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use crate::access_rules::{AccessRules, Denied};
use crate::address_claim::{AddressBusy, AddressClaim};
use crate::byte_counter::CountedStream;
use crate::concurrency_limiter::ConcurrencyLimiter;
use crate::connection_attempt::ConnectionAttempt;
use crate::error_cause::find_cause;
use crate::options::HttpOptions;
use crate::origin_connections::{ConnectionPool, OriginConnection};
use crate::origin_stream::{limit_unacknowledged, tcp_of};
use crate::resolver::CheckedResolver;

/// How long a request over a reused connection may be unacknowledged until the connection fails. Also at most a third of the time for a
/// response, so that time is left to send the request over a new connection.
const MAX_UNACKNOWLEDGED: Duration = Duration::from_secs(5);

type BoxError = Box<dyn Error + Send + Sync>;

/// The connection did not become ready in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("connecting took longer than {0:?}")]
pub(crate) struct ConnectTimedOut(Duration);

/// Opens connections that are ready for HTTP, or takes them from a pool.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    resolver: CheckedResolver,
    rules: Arc<AccessRules>,
    tls: Arc<ClientConfig>,
    /// The same without HTTP/2.
    tls_of_http1: Arc<ClientConfig>,
    pool: Arc<ConnectionPool>,
    timeout: Duration,
    max_unacknowledged: Duration,
    max_header_bytes: usize,
}

impl Connector {
    pub(crate) fn new(options: &HttpOptions, tls: ClientConfig) -> Self {
        let rules = Arc::new(options.access.clone());
        let limits = options.limiter.as_ref().map(ConcurrencyLimiter::options).unwrap_or_default();
        let mut tls_of_http1 = tls.clone();
        tls_of_http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(Inner {
            resolver: CheckedResolver::new(options.resolver.clone(), rules.clone()),
            rules,
            tls_of_http1: Arc::new(tls_of_http1),
            tls: Arc::new(tls),
            pool: Arc::new(ConnectionPool::new(options.origin_connections.clone(), limits)),
            timeout: options.connect_timeout,
            max_unacknowledged: (options.first_byte_timeout / 3).clamp(Duration::from_millis(1), MAX_UNACKNOWLEDGED),
            max_header_bytes: options.max_origin_header_bytes,
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<CountedStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connector, claim, attempt) = (self.0.clone(), AddressClaim::current(), ConnectionAttempt::current());
        Box::pin(async move {
            let connection = connector.connect(&uri, &claim, &attempt).await?;
            Ok(TokioIo::new(CountedStream::new(connection, connector.max_header_bytes)))
        })
    }
}

impl Inner {
    /// Connects to an address of the URL's host. A busy address does not keep the request from the others. If all others fail, however,
    /// the request has to wait for the busy one.
    async fn connect(
        self: &Arc<Self>,
        uri: &Uri,
        claim: &AddressClaim,
        attempt: &ConnectionAttempt,
    ) -> Result<OriginConnection, BoxError> {
        let begun = Instant::now();
        let time_left = || self.timeout.saturating_sub(begun.elapsed());
        let timed_out = |_| ConnectTimedOut(self.timeout);
        let mut addresses = timeout(time_left(), self.addresses(uri)).await.map_err(timed_out)??;
        let mut first_busy = None;
        loop {
            if let Some(busy) = claim.remove_busy(&mut addresses) {
                first_busy.get_or_insert(busy);
            }
            if addresses.is_empty()
                && let Some(busy) = first_busy
            {
                return Err(busy.into());
            }
            let connecting = timeout(time_left(), self.connect_to(addresses.clone(), uri, claim, attempt));
            let error = match connecting.await.map_err(timed_out) {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(timed_out) => timed_out.into(),
            };
            if let Some(&busy) = find_cause::<AddressBusy>(&*error) {
                // The address was available when the connection was begun.
                first_busy.get_or_insert(busy);
                let tried = addresses.len();
                addresses.retain(|&address| address != busy.0);
                if addresses.len() < tried {
                    continue;
                }
            }
            let is_denied = find_cause::<Denied>(&*error).is_some();
            return Err(first_busy.filter(|_| !is_denied).map_or(error, Into::into));
        }
    }

    /// Takes an idle connection to one of these addresses, or opens a new one.
    async fn connect_to(
        self: &Arc<Self>,
        addresses: Vec<IpAddr>,
        uri: &Uri,
        claim: &AddressClaim,
        attempt: &ConnectionAttempt,
    ) -> Result<OriginConnection, BoxError> {
        if attempt.may_reuse()
            && let Some((connection, address)) =
                addresses.iter().find_map(|&address| Some((self.pool.take(uri, address)?, address)))
        {
            self.check(uri, address)?;
            // If the address is busy by now, the connection is closed: releasing it would extend its idle time although no request has used it.
            claim.claim(address)?;
            // The origin may have disappeared. A new connection has just been acknowledged.
            limit_unacknowledged(connection.stream(), self.max_unacknowledged)?;
            attempt.note_reused();
            return Ok(connection);
        }
        let tcp = CheckedConnector { tcp: self.tcp(addresses), connector: self.clone(), claim: claim.clone() };
        let tls = if self.pool.may_open_http2() { &self.tls } else { &self.tls_of_http1 };
        let stream = TokioIo::new(HttpsConnector::from((tcp, tls.clone())).call(uri.clone()).await?);
        let address = tcp_of(&stream).peer_addr()?.ip();
        Ok(self.pool.opened(stream, uri, address))
    }

    /// The addresses of a URL's host. If the host is a name, its addresses have been checked.
    async fn addresses(&self, uri: &Uri) -> io::Result<Vec<IpAddr>> {
        let host = uri.host().unwrap_or_default();
        match literal(host) {
            Some(address) => Ok(vec![address]),
            None => self.resolver.resolve(host).await,
        }
    }

    /// Connects to one of these addresses.
    fn tcp(&self, addresses: Vec<IpAddr>) -> HttpConnector<Resolved> {
        let mut tcp = HttpConnector::new_with_resolver(Resolved(addresses));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The timeout is divided among the addresses of a name, so that one that does not respond leaves time for the others.
        tcp.set_connect_timeout(Some(self.timeout));
        tcp
    }

    /// Checks the address of a connection, even if the URL itself contains the address.
    fn check(&self, uri: &Uri, address: IpAddr) -> Result<(), Denied> {
        self.rules.check_address(address).map_err(|denied| denied_for(uri, denied))
    }
}

/// Opens TCP connections, checks the peer address again, and claims a permit for it.
#[derive(Clone)]
struct CheckedConnector {
    tcp: HttpConnector<Resolved>,
    connector: Arc<Inner>,
    claim: AddressClaim,
}

impl Service<Uri> for CheckedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.tcp.call(uri.clone());
        let (connector, claim) = (self.connector.clone(), self.claim.clone());
        Box::pin(async move {
            let stream = connecting.await?;
            let address = stream.inner().peer_addr()?.ip();
            connector.check(&uri, address)?;
            claim.claim(address)?;
            Ok(stream)
        })
    }
}

/// Parses the host of a URL as an address, if it is not a name.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The error for the host of a URL. If the host is a name, the error does not disclose its address.
fn denied_for(uri: &Uri, denied: Denied) -> Denied {
    let host = uri.host().unwrap_or_default();
    if literal(host).is_some() { denied } else { Denied::Name { name: host.to_owned(), reason: Box::new(denied) } }
}

/// The addresses of a resolved name.
#[derive(Clone)]
struct Resolved(Vec<IpAddr>);

impl Service<Name> for Resolved {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        // The connector replaces the port with that of the URL.
        let addresses: Vec<_> = self.0.iter().map(|&address| SocketAddr::new(address, 0)).collect();
        ready(Ok(addresses.into_iter()))
    }
}
