//! The requests and policy commands that the driver thread receives. The instance that owns the inbox serves them.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::policy::commands::{Command, CommandReceiver};
use crate::request::Request;

/// Receives requests and commands until all senders of requests have been dropped.
pub(crate) struct Inbox {
    pub requests: mpsc::Receiver<Request>,
    pub commands: CommandReceiver,
    /// Requests from replaced instances. This channel is never closed.
    pub handovers: mpsc::UnboundedReceiver<Request>,
    /// Requests that arrived earlier, and have to wait for an active instance.
    pub postponed: VecDeque<Request>,
}

/// A request or a command.
pub(crate) enum Message {
    Request(Request),
    Command(Command),
}

impl Inbox {
    /// The next message. Postponed requests come first if `with_postponed` is set. `None` once all senders of requests have been dropped.
    pub async fn next(&mut self, with_postponed: bool) -> Option<Message> {
        if with_postponed && let Some(request) = self.postponed.pop_front() {
            return Some(Message::Request(request));
        }
        tokio::select! {
            Some(request) = self.handovers.recv() => Some(Message::Request(request)),
            request = self.requests.recv() => request.map(Message::Request),
            Some(command) = self.commands.recv() => Some(Message::Command(command)),
        }
    }

    /// Stops accepting anything except requests from replaced instances. Queued requests are dropped, which answers their callers.
    pub async fn close(&mut self) {
        self.requests.close();
        self.commands.close();
        self.postponed.clear();
        while self.requests.recv().await.is_some() {}
        while self.commands.recv().await.is_some() {}
    }
}
