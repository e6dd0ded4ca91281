//! Notices when the owner of a directory closes the cache or ends.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::connection::Connection;
use crate::messages::Answer;

/// What is known about the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerState {
    Running,
    /// It finishes the calls in progress.
    Closing,
    /// It finishes nothing any more.
    Ended,
}

/// Observes the owner. A child that the owner forked may keep the connection open, so the process is observed as well.
pub(crate) async fn observe_owner(mut connection: Connection, state: watch::Sender<OwnerState>) {
    let process = connection.peer_process().and_then(Pid::from_raw);
    let process = process.and_then(|process| pidfd_open(process, PidfdFlags::NONBLOCK).ok()).and_then(observe);
    let is_observed = process.is_some();
    let process_ends = async {
        match &process {
            Some(process) => drop(process.readable().await.map(drop)),
            None => std::future::pending().await,
        }
    };
    let mut process_ends = std::pin::pin!(process_ends);
    tokio::select! {
        // The owner sends nothing on this connection. It closes it as soon as it closes the cache, while it finishes the calls in progress.
        _ = connection.receive::<Answer>() => {
            state.send_replace(OwnerState::Closing);
            if is_observed {
                process_ends.await;
            }
        }
        () = &mut process_ends => {}
    }
    state.send_replace(OwnerState::Ended);
}

#[expect(deprecated, reason = "an owned descriptor stays open, and its replacement is unsafe")]
fn observe(process: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(process, Interest::READABLE).ok()
}
