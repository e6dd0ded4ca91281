//! Serves an HTTP/2 connection.
//!
//! h2, below hyper, limits what a client can do to the protocol: it closes connections that reset too many streams before they are served,
//! that cause too many errors, or that send endless heads or empty frames.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header, request};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use crate::connections::body::RequestBody;
use crate::connections::client_stream::ClientStream;
use crate::connections::close::{reset_when_closed, stopped};
use crate::connections::connection::Server;
use crate::connections::counters::{Connections, Ending, OpenConnection};
use crate::connections::exchange::Exchanges;
use crate::connections::limits::{ClientLimits, RETRY_AFTER};
use crate::connections::min_rate::TooSlow;
use crate::connections::stream_body::StreamBody;
use crate::connections::streams::{StreamExecutor, Streams, current_progress};
use crate::connections::timer::Timer;
use crate::connections::write_guard::{WriteGuard, timed_out};
use crate::problem::Problem;
use crate::security_headers;

/// The maximum number of concurrent requests on a connection.
const MAX_STREAMS: u32 = 128;

/// The maximum number of unsent bytes of a response.
const UNSENT: usize = 64 << 10;

/// How long a client may take to end a connection on which there is nothing to do, once it has been told that it ends.
const CLOSING: Duration = Duration::from_secs(5);

impl Server {
    /// Serves an HTTP/2 connection to its end.
    pub async fn serve_http2(self, stream: impl ClientStream, peer: SocketAddr, mut open: OpenConnection) {
        let Self { routes, limits, mut stop, connections, permits } = self;
        let streams = Streams::new();
        let io = TokioIo::new(Http2Stream::new(stream, &limits, streams.clone()));
        let handler = StreamHandler {
            router: routes.router,
            peer,
            limits: limits.clone(),
            exchanges: Exchanges::default(),
            streams: streams.clone(),
            connections,
            permits,
        };
        let connection = http2::Builder::new(StreamExecutor(limits.clone()))
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(UNSENT)
            .serve_connection(io, handler);
        let mut connection = pin!(connection);
        let mut closing = None;
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
                open.ending = Ending::Idle;
                closing = Some(now);
                connection.as_mut().graceful_shutdown();
                continue;
            }
            tokio::select! {
                biased;
                served = &mut connection => break Some(served),
                () = stopped(&mut stop), if closing.is_none() => {
                    closing = Some(Instant::now());
                    connection.as_mut().graceful_shutdown();
                }
                // Streams may have begun and ended in the meantime.
                () = sleep_until((since + time).min(now + limits.idle_timeout)) => {}
            }
        };
        open.ending = match (&served, open.ending) {
            _ if streams.is_too_slow() => Ending::SlowReader,
            (_, Ending::Idle) => Ending::Idle,
            (None, _) if !streams.has_begun() => Ending::SlowHeader,
            (None | Some(Ok(())), _) => Ending::Finished,
            (Some(Err(_)), _) => Ending::Broken,
        };
        let error = served.and_then(Result::err).map_or_else(String::new, |error| format!(": {error:?}"));
        tracing::debug!("an HTTP/2 connection from {peer} ended: {}{error}", open.ending.name());
    }
}

/// Passes requests to the router.
struct StreamHandler {
    router: Router,
    peer: SocketAddr,
    limits: Arc<ClientLimits>,
    exchanges: Exchanges,
    streams: Streams,
    connections: Connections,
    permits: Arc<Semaphore>,
}

impl hyper::service::Service<Request<Incoming>> for StreamHandler {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut open = self.streams.open();
        if open.needs_permit() {
            match self.permits.clone().try_acquire_owned() {
                Ok(permit) => open.keep(permit),
                Err(_) => {
                    self.connections.count_refusal();
                    return Box::pin(async move {
                        let response = security_headers::add(too_many_requests().into_response()).await;
                        Ok(response.map(|body| StreamBody::new(body, current_progress(), open)))
                    });
                }
            }
        }
        let (mut parts, body) = request.into_parts();
        name_host(&mut parts);
        parts.extensions.insert(ConnectInfo(self.peer));
        let (body, _) = RequestBody::new(body, &self.limits, self.exchanges.clone());
        let response = self.router.clone().call(Request::from_parts(parts, Body::new(body)));
        Box::pin(async move {
            let mut response = response.await?;
            if response.status() == StatusCode::NOT_MODIFIED {
                // The router's is that of the empty body, which hyper removes only over HTTP/1 (RFC 9110, section 8.6).
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            Ok(response.map(|body| StreamBody::new(body, current_progress(), open)))
        })
    }
}

/// Puts the host of the request line into `Host`, where the handlers expect it. It takes precedence (RFC 9113, section 8.3.1).
fn name_host(parts: &mut request::Parts) {
    let host = parts.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        parts.headers.insert(header::HOST, host);
    }
}

fn too_many_requests() -> Problem {
    let why = "there are too many connections and concurrent requests";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-connections", why).with_retry_after(RETRY_AFTER)
}

/// A connection that fails if the client reads too slowly.
struct Http2Stream<S> {
    stream: S,
    writes: WriteGuard,
    timer: Timer,
    streams: Streams,
}

impl<S: ClientStream> Http2Stream<S> {
    fn new(stream: S, limits: &ClientLimits, streams: Streams) -> Self {
        Self { stream, writes: WriteGuard::new(limits), timer: Timer::default(), streams }
    }

    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let noted = self.writes.written(&written, &mut self.timer, cx);
        self.streams.set_blocked(self.writes.is_waiting());
        noted.map_or_else(|TooSlow| Poll::Ready(Err(self.too_slow())), |()| written)
    }

    fn flushed(&mut self, cx: &mut Context<'_>, flushed: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        let noted = self.writes.flushed(&flushed, &mut self.timer, cx);
        self.streams.set_blocked(self.writes.is_waiting());
        noted.map_or_else(|TooSlow| Poll::Ready(Err(self.too_slow())), |()| flushed)
    }

    fn too_slow(&self) -> io::Error {
        self.streams.note_too_slow();
        reset_when_closed(&self.stream);
        io::ErrorKind::TimedOut.into()
    }
}

impl<S: ClientStream> AsyncRead for Http2Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Err(error)) if timed_out(&error) => Poll::Ready(Err(self.too_slow())),
            read => read,
        }
    }
}

impl<S: ClientStream> AsyncWrite for Http2Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.flushed(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
