//! Connecting to origins.
//!
//! From the inside out: TCP, to addresses that the resolver lets through; a look at the address that was connected to, before a byte
//! is sent; TLS, where the URL is one of https; and a [`Metered`] stream around it all. No proxy is asked, whatever the environment
//! says.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::access::{AccessRules, Denied};
use super::meter::Metered;
use super::options::HttpOptions;
use super::resolve::CheckedResolver;

type BoxError = Box<dyn Error + Send + Sync>;

/// It took too long until a connection was ready for use.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("connecting took longer than {0:?}")]
pub(super) struct ConnectTimedOut(Duration);

/// Makes connections that are ready for HTTP.
#[derive(Clone)]
pub(super) struct Connector {
    connector: HttpsConnector<CheckedConnector>,
    timeout: Duration,
    max_header_bytes: usize,
}

impl Connector {
    pub(super) fn new(options: &HttpOptions, tls: ClientConfig) -> Self {
        let rules = Arc::new(options.access.clone());
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver::new(options.resolver.clone(), rules.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // For all addresses of a name together. It is less than what is allowed for the whole, if by little, so that an address that
        // does not answer leaves time for the others.
        tcp.set_connect_timeout(Some(options.connect_timeout));
        Self {
            connector: HttpsConnector::from((CheckedConnector { tcp, rules }, tls)),
            timeout: options.connect_timeout,
            max_header_bytes: options.max_header_bytes,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Metered<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connector.call(uri);
        let (limit, max_header_bytes) = (self.timeout, self.max_header_bytes);
        Box::pin(async move {
            let stream = timeout(limit, connecting).await.map_err(|_| ConnectTimedOut(limit))??;
            Ok(TokioIo::new(Metered::new(TokioIo::new(stream), max_header_bytes)))
        })
    }
}

/// Makes TCP connections, and drops those to addresses that must not be connected to. What was checked when the name was resolved is
/// checked once more where it counts: this also holds for addresses that were in the URL, and however many there were to choose from.
#[derive(Clone)]
struct CheckedConnector {
    tcp: HttpConnector<CheckedResolver>,
    rules: Arc<AccessRules>,
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
        let rules = self.rules.clone();
        Box::pin(async move {
            let stream = connecting.await?;
            rules.check_address(stream.inner().peer_addr()?.ip()).map_err(|why| about(&uri, why))?;
            Ok(stream)
        })
    }
}

/// What is said of the address that a URL led to: where the URL holds a name, that name has such an address.
fn about(uri: &Uri, why: Denied) -> Denied {
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if literal.parse::<IpAddr>().is_ok() { why } else { Denied::Name { name: host.to_owned(), why: Box::new(why) } }
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, std::io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.resolve(name.as_str()).await?;
            // The port is that of the URL, which the connector puts in the place of this one.
            Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}
