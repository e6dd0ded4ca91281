//! An origin that speaks TLS with a self-signed certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An origin that completes TLS handshakes and serves nothing. It stops when it is dropped.
pub struct SelfSignedOrigin {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl SelfSignedOrigin {
    /// Starts an origin on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(&include_bytes!("tls/key.der")[..]));
        let certificate = CertificateDer::from(&include_bytes!("tls/certificate.der")[..]);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client aborts the handshake.
                let _ = acceptor.accept(stream).await;
            }
        });
        Self { address, server }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SelfSignedOrigin {
    fn drop(&mut self) {
        self.server.abort();
    }
}
