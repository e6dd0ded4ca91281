//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tower_service::Service;

use super::ClientLimits;
use super::body::{Answer, Received};
use super::counters::{Ending, OpenConnection};
use super::guarded::Guarded;
use super::turn::Turns;
use crate::service::problem::Problem;
use crate::service::safeguards;

/// How much may wait to be parsed or sent in hyper's buffers, in bytes, where heads are not larger.
const BUFFER: usize = 64 << 10;

/// How much may wait in the kernel to be sent as soon as the client has room for it, in bytes. It bounds what a client that takes
/// nothing holds on to, and is how finely we see a slow one get on: half of this is what has to go before there is room again, which
/// at the least rate is about what patience allows.
const UNSENT: u32 = 64 << 10;

/// For how long what still comes is thrown away once an answer is sent that nobody waited for a whole request with.
#[derive(Clone, Copy)]
pub(super) struct Linger {
    /// From one piece to the next.
    idle: Duration,
    /// In all.
    all: Duration,
}

/// How much is thrown away at most, in bytes.
const LINGER_BYTES: u64 = 1 << 30;

impl Linger {
    /// With who sent a request.
    fn with_client(limits: &ClientLimits) -> Self {
        Self { idle: Duration::from_secs(5).min(limits.patience), all: limits.patience }
    }

    /// With who is not let in.
    pub fn at_the_door() -> Self {
        Self { idle: Duration::from_secs(1), all: Duration::from_secs(1) }
    }
}

/// What a connection is served with.
#[derive(Clone)]
pub(super) struct Server {
    pub router: Router,
    pub limits: Arc<ClientLimits>,
    pub stop: watch::Receiver<bool>,
}

impl Server {
    /// Serves a connection to its end.
    pub async fn serve(self, stream: TcpStream, peer: SocketAddr, mut open: OpenConnection) {
        let Self { router, limits, mut stop } = self;
        set_options(&stream, &limits);
        let turns = Turns::default();
        let io = TokioIo::new(Guarded::new(stream, limits.clone(), turns.clone()));
        let answerer = Answerer { router, peer, limits: limits.clone(), turns: turns.clone() };
        let mut connection = http1::Builder::new()
            .max_header_size(limits.max_header_bytes)
            .max_buf_size(BUFFER.max(limits.max_header_bytes))
            .serve_connection(io, answerer);
        let mut stopping = false;
        let served = loop {
            tokio::select! {
                served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break served,
                () = stopped(&mut stop), if !stopping => {
                    // What is idle ends at once, and what is under way with its answer.
                    stopping = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let io = connection.into_parts().io.into_inner();
        open.ending = match (io.gave_up, &served) {
            (Some(ending), _) => ending,
            (None, _) if turns.had_slow_body() => Ending::SlowBody,
            (None, Ok(())) => Ending::Finished,
            (None, Err(error)) if error.is_parse() => Ending::Invalid,
            (None, Err(_)) => Ending::Broken,
        };
        tracing::debug!("a connection from {peer} ended: {}{}", open.ending.name(), because(served.err()));
        let (half_a_request, at_end) = (io.has_half_a_request(), io.at_end);
        let mut stream = io.into_inner();
        match open.ending {
            Ending::SlowHeader if half_a_request => {
                let why = format!("the head of the request took longer than {} s", limits.header_timeout.as_secs());
                let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-header", why);
                say_and_close(stream, problem, Linger::with_client(&limits), &mut stop).await;
            }
            Ending::Finished | Ending::Invalid | Ending::SlowBody if !at_end => {
                linger(&mut stream, Linger::with_client(&limits), &mut stop).await;
            }
            // What it has not taken, the kernel need not keep for it, and that it is not all of the answer is plain to see.
            Ending::SlowReader => reset(stream),
            _ => {}
        }
    }
}

/// The reason of an end, if there is one, for the log.
fn because(error: Option<hyper::Error>) -> String {
    let mut causes = Vec::new();
    let mut next = error.as_ref().map(|error| error as &dyn Error);
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    causes.iter().map(|cause| format!(": {cause}")).collect()
}

/// Answers a connection without having read a request, and closes it.
pub(super) async fn say_and_close(mut stream: TcpStream, problem: Problem, time: Linger, stop: &mut watch::Receiver<bool>) {
    let answer = last_answer(problem).await;
    // There is room for so little, unless answers before it were not taken; and then nobody would read this one.
    if stream.try_write(&answer).is_ok_and(|written| written == answer.len()) {
        linger(&mut stream, time, stop).await;
    }
}

/// A problem as the last that is sent on a connection.
async fn last_answer(problem: Problem) -> Vec<u8> {
    let (parts, body) = safeguards::add(problem.into_response()).await.into_parts();
    // It is there already, and short.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        answer.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    answer.extend(format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
    answer.extend(body);
    answer
}

/// Closes a connection so that the client can read what it was sent last. Whoever closes a socket in which bytes are unread resets it, and
/// the other side may lose what it has not read yet (RFC 9112, section 9.6); so what still comes is thrown away for a while.
async fn linger(stream: &mut TcpStream, time: Linger, stop: &mut watch::Receiver<bool>) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let discard = async {
        let (mut scratch, mut discarded) = (vec![0; 16 << 10], 0);
        while let Ok(Ok(count @ 1..)) = timeout(time.idle, stream.read(&mut scratch)).await {
            discarded += count as u64;
            if discarded > LINGER_BYTES {
                return;
            }
        }
    };
    tokio::select! {
        _ = timeout(time.all, discard) => {}
        () = stopped(stop) => {}
    }
}

/// Closes a connection at once, and so that the client knows that it was.
fn reset(stream: TcpStream) {
    let set = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    set.unwrap_or_else(|error| tracing::debug!("a connection cannot be reset: {error}"));
}

/// Comes back when the service is to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Where the sender is gone, so is the reason to go on.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn set_options(stream: &TcpStream, limits: &ClientLimits) {
    let socket = socket2::SockRef::from(stream);
    let set = || {
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT)?;
        // After we have closed it the kernel goes on for a quarter of an hour to send what is left to a client that takes nothing.
        socket.set_tcp_user_timeout(Some(limits.patience * 2))
    };
    set().unwrap_or_else(|error: io::Error| tracing::debug!("an option of a socket cannot be set: {error}"));
}

/// Hands requests to the router.
struct Answerer {
    router: Router,
    peer: SocketAddr,
    limits: Arc<ClientLimits>,
    turns: Turns,
}

impl hyper::service::Service<Request<Incoming>> for Answerer {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let turn = self.turns.begin();
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(ConnectInfo(self.peer));
        let (body, whole) = Received::new(body, &self.limits, self.turns.clone());
        let answer = self.router.clone().call(Request::from_parts(parts, Body::new(body)));
        Box::pin(async move {
            let mut answer = answer.await?;
            if !whole.is_here() {
                // The rest of the body is in the way of another request, and the client should not go on sending it.
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer.map(|body| Answer::new(body, turn)))
        })
    }
}
