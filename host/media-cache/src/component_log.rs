//! Logs what a cache component writes to standard error, such as the reason for a crash. The output does not go to the standard error of
//! this process, since the store's thread must not wait for a reader.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The maximum number of bytes that are logged as one event. Longer lines are split.
const MAX_LINE: usize = 4096;

/// A standard error that logs each line.
#[derive(Clone, Default)]
pub(crate) struct ComponentLog(Arc<Mutex<PartialLine>>);

/// The bytes of an unfinished line so far.
#[derive(Default)]
struct PartialLine(Vec<u8>);

impl PartialLine {
    /// Adds bytes, and passes on each finished line. A line that is too long is split at the limit.
    fn write(&mut self, bytes: &[u8], mut ended: impl FnMut(&[u8])) {
        for byte in bytes {
            if *byte != b'\n' {
                self.0.push(*byte);
            }
            if (*byte == b'\n' || self.0.len() == MAX_LINE) && !self.0.is_empty() {
                ended(&self.0);
                self.0.clear();
            }
        }
    }
}

fn log(line: &[u8]) {
    tracing::warn!("message from the cache component: {}", String::from_utf8_lossy(line));
}

impl Drop for PartialLine {
    fn drop(&mut self) {
        self.write(b"\n", log);
    }
}

impl ComponentLog {
    fn line(&self) -> MutexGuard<'_, PartialLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for ComponentLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ComponentLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for ComponentLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line().write(bytes, log);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_logged_when_it_ends_or_reaches_the_length_limit() {
        let (mut line, mut logged) = (PartialLine::default(), Vec::new());
        for bytes in [&b"first"[..], b" line\nsecond\n\nth", b"ird", &[b'x'; MAX_LINE], b"\n"] {
            line.write(bytes, |line| logged.push(String::from_utf8(line.to_vec()).unwrap()));
        }
        assert_eq!(logged[..2], ["first line", "second"]);
        assert_eq!(logged[2], format!("third{}", "x".repeat(MAX_LINE - 5)));
        assert_eq!((logged.len(), &*logged[3]), (4, "xxxxx"));
    }
}
