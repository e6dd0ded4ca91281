//! Serves one connection, from its first byte to its last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::connections::close::{Linger, respond_and_close, stopped};
use crate::connections::counters::{Ending, OpenConnection};
use crate::connections::exchange::Exchanges;
use crate::connections::guarded_stream::GuardedStream;
use crate::connections::lane_stream::LaneStream;
use crate::connections::limits::ClientLimits;
use crate::connections::permits::Permits;
use crate::connections::routes::Routes;
use crate::connections::tls::{SharedTls, begins_handshake, is_http2};
use crate::problem::Problem;

/// The maximum number of unsent bytes in the kernel's buffer. It bounds the memory that a client can occupy by reading nothing, and the
/// granularity with which the progress of a slow client is visible: the buffer becomes writable again when half of it has been sent,
/// which at the minimum rate takes about as long as `patience`.
const UNSENT: u32 = 64 << 10;

/// What is needed to serve a connection.
#[derive(Clone)]
pub(crate) struct Server {
    pub routes: Routes,
    pub limits: Arc<ClientLimits>,
    pub stop: watch::Receiver<bool>,
    pub permits: Permits,
}

impl Server {
    /// Serves a connection to its end.
    pub async fn serve(mut self, stream: TcpStream, peer: SocketAddr, mut open: OpenConnection) {
        set_options(&stream);
        let Some(tls) = self.routes.tls.clone() else {
            let (exchanges, in_place) = (Exchanges::default(), self.routes.in_place.clone());
            let guarded = GuardedStream::new(stream, self.limits.clone(), exchanges.clone());
            let stream = LaneStream::new(guarded, in_place, exchanges.clone(), self.limits.max_header_bytes);
            return self.serve_http1(stream, exchanges, peer, open).await;
        };
        match self.handshake(&tls, stream).await {
            Ok(stream) if is_http2(&stream) => self.serve_http2(stream, peer, open).await,
            Ok(stream) => {
                let exchanges = Exchanges::default();
                let stream = GuardedStream::new(stream, self.limits.clone(), exchanges.clone());
                self.serve_http1(stream, exchanges, peer, open).await;
            }
            Err(ending) => {
                tracing::debug!("a connection from {peer} ended before it was encrypted: {}", ending.name());
                open.ending = ending;
            }
        }
    }

    /// Encrypts a connection, which may take as long as the head of a request. Fails if the connection has ended.
    async fn handshake(&mut self, tls: &SharedTls, stream: TcpStream) -> Result<TlsStream<TcpStream>, Ending> {
        let handshake = async {
            if !begins_handshake(&stream).await? {
                return Ok(Err(stream));
            }
            tls.accept(stream).await.map(Ok)
        };
        let outcome = tokio::select! {
            outcome = timeout(self.limits.header_timeout, handshake) => outcome,
            () = stopped(&mut self.stop) => return Err(Ending::CutOff),
        };
        match outcome {
            Ok(Ok(Ok(stream))) => Ok(stream),
            Ok(Ok(Err(stream))) => {
                let why = "this port serves HTTPS, and the request is not encrypted: use https:// instead of http://";
                let problem = Problem::new(StatusCode::BAD_REQUEST, "not-encrypted", why);
                respond_and_close(stream, problem, Linger::for_client(&self.limits), &mut self.stop).await;
                Err(Ending::TlsHandshake)
            }
            Ok(Err(error)) => {
                tracing::debug!("a TLS handshake failed: {error}");
                Err(Ending::TlsHandshake)
            }
            Err(_) => Err(Ending::SlowHeader),
        }
    }
}

fn set_options(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let set = || {
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT)
    };
    set().unwrap_or_else(|error: io::Error| tracing::debug!("cannot set a socket option: {error}"));
}
