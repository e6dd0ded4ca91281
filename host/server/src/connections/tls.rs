//! TLS for a listener.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// HTTP/2, as it is named in a handshake (RFC 9113, section 3.1).
const HTTP2: &[u8] = b"h2";

/// HTTP/1.1 and HTTP/1.0, as they are named in a handshake (RFC 7301, section 6).
const HTTP1: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// The maximum number of bytes in the buffer of a connection below encryption. With a larger one, the progress of a client that reads
/// slowly would be visible too late.
const BUFFER: usize = 32 << 10;

/// The first byte of a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// The certificate of a listener, with the parameters of its TLS.
pub struct Certificate {
    /// The parameters, with the certificate and its key. The protocols that they offer to clients are replaced by those that the service
    /// supports.
    pub config: ServerConfig,
    /// When the certificate expires, for the metrics. `None` if that is not known.
    pub not_after: Option<SystemTime>,
}

/// The certificate of a listener, which can be replaced. Clones share it. A new certificate applies to new connections; those that are open
/// keep the one with which they began.
#[derive(Clone)]
pub struct SharedTls(Arc<RwLock<Current>>);

struct Current {
    config: Arc<ServerConfig>,
    not_after: Option<SystemTime>,
}

impl From<Certificate> for Current {
    fn from(Certificate { mut config, not_after }: Certificate) -> Self {
        config.alpn_protocols = [HTTP2].into_iter().chain(HTTP1).map(Into::into).collect();
        Self { config: Arc::new(config), not_after }
    }
}

impl From<Certificate> for SharedTls {
    fn from(certificate: Certificate) -> Self {
        Self(Arc::new(RwLock::new(certificate.into())))
    }
}

impl SharedTls {
    /// Uses `certificate` for all connections from now on.
    pub fn replace(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certificate.into();
    }

    /// When the certificate expires, if that is known.
    #[must_use]
    pub fn not_after(&self) -> Option<SystemTime> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).not_after
    }

    /// Encrypts a connection.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let config = self.0.read().unwrap_or_else(PoisonError::into_inner).config.clone();
        TlsAcceptor::from(config).accept_with(stream, |connection| connection.set_buffer_limit(Some(BUFFER))).await
    }
}

/// Whether the client has chosen HTTP/2.
pub(crate) fn is_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP2)
}

/// Waits for the first byte of a connection, and returns whether it can be that of a handshake.
pub(crate) async fn begins_handshake(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let count = stream.peek(&mut first).await?;
    Ok(count == 0 || first == [HANDSHAKE])
}
