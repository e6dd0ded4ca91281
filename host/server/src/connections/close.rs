//! Closes connections, either immediately or so that clients can still read the last response.

use std::time::Duration;

use axum::response::IntoResponse;
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connections::client_stream::ClientStream;
use crate::connections::limits::ClientLimits;
use crate::problem::Problem;
use crate::security_headers;

/// The maximum number of bytes that are discarded on a connection that is being closed.
const LINGER_BYTES: u64 = 1 << 30;

/// How long bytes may remain unacknowledged on a connection that has been closed.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// How long received bytes are discarded on a connection that is being closed, after a response to an incomplete request.
#[derive(Clone, Copy)]
pub(crate) struct Linger {
    /// Between two reads.
    idle: Duration,
    /// In total.
    total: Duration,
}

impl Linger {
    /// For a client that sent a request.
    pub fn for_client(limits: &ClientLimits) -> Self {
        Self { idle: Duration::from_secs(5).min(limits.patience), total: limits.patience }
    }

    /// For a connection that is refused, or on which nothing is in progress.
    pub fn brief() -> Self {
        Self { idle: Duration::from_secs(1), total: Duration::from_secs(1) }
    }
}

/// Sends a response without having read a request, and closes the connection.
pub(crate) async fn respond_and_close(
    mut stream: impl ClientStream,
    problem: Problem,
    time: Linger,
    stop: &mut watch::Receiver<bool>,
) {
    let response = last_response(problem).await;
    // So few bytes fit in the socket's buffer unless the client has not read earlier responses. In that case, it would not read this one
    // either.
    let sent = async {
        stream.write_all(&response).await?;
        stream.flush().await
    };
    if matches!(sent.now_or_never(), Some(Ok(()))) {
        linger(&mut stream, time, stop).await;
    }
}

/// Encodes a problem as the last response on a connection.
async fn last_response(problem: Problem) -> Vec<u8> {
    let (parts, body) = security_headers::add(problem.into_response()).await.into_parts();
    // The body of a problem is short and in memory.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut response = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        response.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    response.extend(format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes());
    response.extend(body);
    response
}

/// Closes a connection so that the client can read the last response. Closing a socket with unread bytes resets the connection, and the
/// client may lose data that it has not read yet (RFC 9112, section 9.6). Received bytes are therefore discarded for a while, unless the
/// service stops.
pub(crate) async fn linger(stream: &mut impl ClientStream, time: Linger, stop: &mut watch::Receiver<bool>) {
    if end(stream, time).await {
        tokio::select! {
            () = discard(stream, time) => {}
            () = stopped(stop) => {}
        }
    }
}

/// As [`linger`], even if the service stops.
pub(crate) async fn linger_until_end(stream: &mut impl ClientStream, time: Linger) {
    if end(stream, time).await {
        discard(stream, time).await;
    }
}

/// Ends what is sent on a connection, and returns whether that was possible.
pub(crate) async fn end(stream: &mut impl ClientStream, time: Linger) -> bool {
    matches!(timeout(time.total, stream.shutdown()).await, Ok(Ok(())))
}

/// Limits how long the kernel tries to send the rest to a client after a connection has been closed: otherwise a quarter of an hour, even if
/// the client reads nothing. While the connection is served, its progress is watched instead, because the kernel would also end connections
/// whose clients read little but often.
pub(crate) fn limit_sending(stream: &impl ClientStream) {
    let set = socket2::SockRef::from(stream.socket()).set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    set.unwrap_or_else(|error| tracing::debug!("cannot limit the end of a connection: {error}"));
}

/// Discards what a client sends until it ends the connection.
async fn discard(stream: &mut impl ClientStream, time: Linger) {
    let discard = async {
        let (mut scratch, mut discarded) = (vec![0; 16 << 10], 0);
        while let Ok(Ok(count @ 1..)) = timeout(time.idle, stream.read(&mut scratch)).await {
            discarded += count as u64;
            if discarded > LINGER_BYTES {
                return;
            }
        }
    };
    drop(timeout(time.total, discard).await);
}

/// Closes a connection immediately, with a reset, which shows the client that the response is incomplete.
pub(crate) fn reset(stream: impl ClientStream) {
    let set = socket2::SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO));
    set.unwrap_or_else(|error| tracing::debug!("cannot reset a connection: {error}"));
}

/// Waits until the service has to stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A dropped sender stops the service, too.
    let _ = stop.wait_for(|stop| *stop).await;
}
