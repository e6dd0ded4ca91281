//! Notices that a client reads responses too slowly.

use std::io;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::connections::limits::ClientLimits;
use crate::connections::min_rate::{MinRate, TooSlow};
use crate::connections::timer::Timer;

/// Watches the writes to a connection.
pub(crate) struct WriteGuard {
    min_rate: MinRate,
    /// Whether a flush is waiting. It waits only on an encrypted connection, which has a buffer of its own.
    is_flushing: bool,
}

impl WriteGuard {
    pub fn new(limits: &ClientLimits) -> Self {
        Self { min_rate: MinRate::new(limits), is_flushing: false }
    }

    /// Whether the client has to read before more can be sent.
    pub fn is_waiting(&self) -> bool {
        self.min_rate.is_waiting()
    }

    /// Notes the outcome of a write. Fails if the client is too slow. While it reads nothing, the task is woken when that is the case.
    pub fn written(&mut self, written: &Poll<io::Result<usize>>, timer: &mut Timer, cx: &mut Context<'_>) -> Result<(), TooSlow> {
        match written {
            Poll::Ready(Ok(bytes)) => self.min_rate.transferred(*bytes as u64, Instant::now()),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => return self.wait(timer, cx),
        }
        Ok(())
    }

    /// Notes the outcome of a flush in the same way.
    pub fn flushed(&mut self, flushed: &Poll<io::Result<()>>, timer: &mut Timer, cx: &mut Context<'_>) -> Result<(), TooSlow> {
        let was_flushing = std::mem::replace(&mut self.is_flushing, flushed.is_pending());
        if self.is_flushing {
            return self.wait(timer, cx);
        }
        if was_flushing {
            self.min_rate.transferred(0, Instant::now());
        }
        Ok(())
    }

    fn wait(&mut self, timer: &mut Timer, cx: &mut Context<'_>) -> Result<(), TooSlow> {
        match self.min_rate.poll_too_slow(timer, cx) {
            Poll::Ready(too_slow) => Err(too_slow),
            Poll::Pending => Ok(()),
        }
    }
}
