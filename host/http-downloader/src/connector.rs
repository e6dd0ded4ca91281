//! Connects to origins.
//!
//! A connection consists, from the inside out, of TCP to an address that the checked resolver returned; a second check of that
//! address and the claim of a permit to use it, before a byte is sent; TLS for https; and a [`CountedStream`]. Proxies in the environment are ignored.

use std::error::Error;
use std::io;
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

use crate::access_rules::{AccessRules, Denied};
use crate::address_claim::AddressClaim;
use crate::byte_counter::CountedStream;
use crate::options::HttpOptions;
use crate::resolver::CheckedResolver;

type BoxError = Box<dyn Error + Send + Sync>;

/// The connection was not ready in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("connecting took longer than {0:?}")]
pub(crate) struct ConnectTimedOut(Duration);

/// Opens connections that are ready for HTTP.
#[derive(Clone)]
pub(crate) struct Connector {
    connector: HttpsConnector<CheckedConnector>,
    timeout: Duration,
    max_header_bytes: usize,
}

impl Connector {
    pub(crate) fn new(options: &HttpOptions, tls: ClientConfig) -> Self {
        let rules = Arc::new(options.access.clone());
        let mut tcp = HttpConnector::new_with_resolver(CheckedResolver::new(options.resolver.clone(), rules.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Divided among the addresses of a name, so that one that does not answer leaves time for the others.
        tcp.set_connect_timeout(Some(options.connect_timeout));
        Self {
            connector: HttpsConnector::from((CheckedConnector { tcp, rules }, tls)),
            timeout: options.connect_timeout,
            max_header_bytes: options.max_origin_header_bytes,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<CountedStream<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>;
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
            Ok(TokioIo::new(CountedStream::new(TokioIo::new(stream), max_header_bytes)))
        })
    }
}

/// Opens TCP connections, checks the peer address again, which also covers addresses in URLs, and claims a permit of it.
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
        let (rules, claim) = (self.rules.clone(), AddressClaim::current());
        Box::pin(async move {
            let stream = connecting.await?;
            let address = stream.inner().peer_addr()?.ip();
            rules.check_address(address).map_err(|denied| denied_for(&uri, denied))?;
            claim.claim(address)?;
            Ok(stream)
        })
    }
}

/// The error for the host of a URL: if that is a name, the error does not disclose its address.
fn denied_for(uri: &Uri, denied: Denied) -> Denied {
    let host = uri.host().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    if literal.parse::<IpAddr>().is_ok() { denied } else { Denied::Name { name: host.to_owned(), reason: Box::new(denied) } }
}

impl Service<Name> for CheckedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.resolve(name.as_str()).await?;
            // The connector replaces the port by that of the URL.
            Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}
