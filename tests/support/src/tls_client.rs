//! TLS and HTTP/2 connections to the service that do only what a test tells them to.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::AUTHORITY;
use crate::http_client::media_path;
use crate::service_process::Service;
use crate::soon::soon;

/// Connects to a service over TLS, with a small receive buffer, so that unread data blocks the sender.
pub async fn connect_tls(service: &Service, protocol: &str) -> TlsStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let stream = socket.connect(service.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

/// The certificate with which a service accepts a new connection.
pub async fn presented(service: &Service) -> CertificateDer<'static> {
    let stream = connect_tls(service, "http/1.1").await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

/// The certificate in a text.
#[must_use]
pub fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// The window of a connection by default, in bytes (RFC 9113, section 6.9.2).
const WINDOW: u32 = 65_535;

/// An HTTP/2 connection whose windows never grow by themselves.
pub struct RawHttp2 {
    /// Sends requests.
    pub requests: SendRequest<Bytes>,
    /// The connection, until it ends.
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

impl RawHttp2 {
    /// Connects to a service.
    pub async fn connect(service: &Service) -> Self {
        Self::over(connect_tls(service, "h2").await, WINDOW, WINDOW).await
    }

    /// Begins HTTP/2 on a connection, with a window for each stream and one for the connection.
    pub async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, window: u32, connection_window: u32) -> Self {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(connection_window);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Self { requests, connection: tokio::spawn(connection) }
    }

    /// Sends a request without a body, and returns its response, of which nothing is read.
    pub fn get(&mut self, path: &str) -> h2::client::ResponseFuture {
        let request = Request::get(format!("https://localhost{path}")).body(()).unwrap();
        self.requests.send_request(request, true).unwrap().0
    }

    /// Requests the media of a URL.
    pub fn media(&mut self, url: &str) -> h2::client::ResponseFuture {
        self.get(&media_path(url))
    }
}
