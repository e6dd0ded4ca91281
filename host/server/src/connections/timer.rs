//! A timer that can be set repeatedly.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes its task at the time passed to the last poll. Allocates nothing before the first poll.
#[derive(Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready if `time` has passed. Otherwise the task is woken at that time.
    pub fn poll_at(&mut self, time: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(time)));
        if sleep.deadline() != time {
            sleep.as_mut().reset(time);
        }
        sleep.as_mut().poll(cx)
    }
}
