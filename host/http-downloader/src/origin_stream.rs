//! The byte stream of a connection to an origin, and a check for unread data on it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// TCP, with TLS for https.
pub(crate) type OriginStream = TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// Whether there is no unread data from the origin and the origin has not closed the connection. The check may lose data that has arrived,
/// so a stream that is not quiet must not be used again.
pub(crate) fn is_quiet(stream: &mut OriginStream) -> bool {
    // Reading removes the beginning of a TLS record from the socket without returning anything, so the socket is checked first.
    if !has_received_nothing(tcp_of(stream)) {
        return false;
    }
    // This covers data that TLS has decrypted. The socket itself is checked because the runtime learns of arriving data only later.
    let (mut byte, mut context) = ([0], Context::from_waker(Waker::noop()));
    let read = Pin::new(&mut *stream).poll_read(&mut context, &mut ReadBuf::new(&mut byte));
    read.is_pending() && has_received_nothing(tcp_of(stream))
}

/// Makes the connection fail if the origin does not acknowledge sent data within this time, because it has disappeared. On a connection
/// that has been idle, this would otherwise be noticed only when the time for the response is over. The time is in whole milliseconds, at
/// least one. Only on Linux.
pub(crate) fn limit_unacknowledged(stream: &OriginStream, time: Duration) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    SockRef::from(tcp_of(stream)).set_tcp_user_timeout(Some(time))?;
    Ok(())
}

/// Whether TLS has negotiated HTTP/2.
pub(crate) fn is_http2(stream: &OriginStream) -> bool {
    match stream.inner() {
        MaybeHttpsStream::Http(_) => false,
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().1.alpn_protocol() == Some(b"h2"),
    }
}

/// The socket under a stream.
pub(crate) fn tcp_of(stream: &OriginStream) -> &TcpStream {
    match stream.inner() {
        MaybeHttpsStream::Http(tcp) => tcp.inner(),
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().inner(),
    }
}

fn has_received_nothing(tcp: &TcpStream) -> bool {
    let peeked = SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()]);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
