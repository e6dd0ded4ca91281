//! Serves an HTTP/2 connection.
//!
//! h2, below hyper, limits what a client can do to the protocol: it closes connections that reset too many streams before they are served,
//! that cause too many errors, or that send endless heads or empty frames.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use crate::connections::body::RequestBody;
use crate::connections::client_stream::ClientStream;
use crate::connections::close::{Linger, limit_sending, linger_until_end, reset, stopped};
use crate::connections::connection::Server;
use crate::connections::counters::{Ending, OpenConnection};
use crate::connections::exchange::Exchanges;
use crate::connections::http2_request::check_request;
use crate::connections::http2_stream::Http2Stream;
use crate::connections::stream_body::StreamBody;
use crate::connections::stream_executor::{StreamExecutor, current_progress};
use crate::connections::streams::{OpenStream, Streams};
use crate::problem::Problem;
use crate::security_headers;

/// The maximum number of concurrent requests on a connection.
const MAX_STREAMS: u32 = 128;

/// The number of unsent bytes of a response from which hyper asks for no more.
const UNSENT: usize = 16 << 10;

/// How long a client may take to end a connection on which nothing is in progress, once it has been told that it ends.
const CLOSING: Duration = Duration::from_secs(1);

impl Server {
    /// Serves an HTTP/2 connection to its end.
    pub async fn serve_http2<S: ClientStream>(self, stream: S, peer: SocketAddr, mut open: OpenConnection) {
        let (limits, streams) = (self.limits.clone(), Streams::new());
        let shared = Arc::new(Mutex::new(stream));
        open.ending = self.drive(Http2Stream::new(shared.clone(), &limits, streams.clone()), streams.clone(), peer).await;
        // hyper has dropped its part.
        let Some(stream) = Arc::into_inner(shared) else { return };
        let mut stream = stream.into_inner().unwrap_or_else(PoisonError::into_inner);
        limit_sending(&stream);
        // The client may still be reading the end of a response.
        let is_read = open.ending == Ending::Finished && streams.quiet_since().elapsed() < limits.patience;
        match open.ending {
            Ending::SlowReader => reset(stream),
            // What it sends, such as updates of its windows, would otherwise cause a reset that loses this end. It is the normal course of a
            // shutdown, which must not cut it short.
            _ if is_read => linger_until_end(&mut stream, Linger::for_client(&limits)).await,
            _ => linger_until_end(&mut stream, Linger::brief()).await,
        }
    }

    /// Serves an HTTP/2 connection until there is nothing more to do, and returns how it has ended.
    async fn drive<S: ClientStream>(self, stream: Http2Stream<S>, streams: Streams, peer: SocketAddr) -> Ending {
        let (limits, mut stop) = (self.limits.clone(), self.stop.clone());
        let executor = StreamExecutor { limits: limits.clone(), streams: streams.clone() };
        let handler = StreamHandler { server: self, peer, exchanges: Exchanges::default(), streams: streams.clone() };
        let connection = http2::Builder::new(executor)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(UNSENT)
            .serve_connection(TokioIo::new(stream), handler);
        let mut connection = pin!(connection);
        let (mut closing, mut is_idle) = (None, false);
        let served = loop {
            let (since, time) = match closing {
                Some(begun) => (streams.quiet_since().max(begun), CLOSING.min(limits.patience)),
                None if streams.has_begun() => (streams.quiet_since(), limits.idle_timeout),
                None => (streams.quiet_since(), limits.header_timeout),
            };
            let now = Instant::now();
            if since + time <= now {
                if closing.is_some() || !streams.has_begun() {
                    break None;
                }
                (closing, is_idle) = (Some(now), true);
                connection.as_mut().graceful_shutdown();
                continue;
            }
            tokio::select! {
                // The connection comes last: while its client keeps sending, it uses up the time of each poll.
                biased;
                () = stopped(&mut stop), if closing.is_none() => {
                    closing = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
                () = streams.until_too_slow() => break None,
                // Streams may have begun and ended in the meantime.
                () = sleep_until((since + time).min(now + limits.idle_timeout)) => {}
                served = &mut connection => break Some(served),
            }
        };
        let ending = match &served {
            _ if streams.is_too_slow() => Ending::SlowReader,
            _ if is_idle => Ending::Idle,
            None if !streams.has_begun() => Ending::SlowHeader,
            None | Some(Ok(())) => Ending::Finished,
            Some(Err(_)) => Ending::Broken,
        };
        let error = served.and_then(Result::err).map_or_else(String::new, |error| format!(": {error:?}"));
        tracing::debug!("an HTTP/2 connection from {peer} ended: {}{error}", ending.name());
        ending
    }
}

/// Passes requests to the router.
struct StreamHandler {
    server: Server,
    peer: SocketAddr,
    exchanges: Exchanges,
    streams: Streams,
}

impl hyper::service::Service<Request<Incoming>> for StreamHandler {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut open = self.streams.open();
        let (mut parts, body) = request.into_parts();
        if let Err(problem) = self.admit(&mut open).and_then(|()| check_request(&mut parts)) {
            return Box::pin(async move {
                let response = security_headers::add(problem.into_response()).await;
                Ok(response.map(|body| StreamBody::new(body, current_progress(), open)))
            });
        }
        let is_head = parts.method == Method::HEAD;
        parts.extensions.insert(ConnectInfo(self.peer));
        let (body, _) = RequestBody::new(body, &self.server.limits, self.exchanges.clone());
        let router: &Router = &self.server.routes.router;
        let response = router.clone().call(Request::from_parts(parts, Body::new(body)));
        Box::pin(async move {
            let mut response = response.await?;
            if response.status() == StatusCode::NOT_MODIFIED && !is_head {
                // The router's is that of the empty body, which hyper removes only over HTTP/1 (RFC 9110, section 8.6).
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            Ok(response.map(|body| StreamBody::new(body, current_progress(), open)))
        })
    }
}

impl StreamHandler {
    /// Gets the permits for a stream. The first of a connection needs none, because the connection has them.
    fn admit(&self, open: &mut OpenStream) -> Result<(), Problem> {
        if self.streams.open_count() == 1 {
            return Ok(());
        }
        open.keep(self.server.permits.for_stream(self.peer.ip())?);
        Ok(())
    }
}
