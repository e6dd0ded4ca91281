//! What the cache's thread receives: requests, and commands for the policy. Who has it is the instance that serves.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::policy::commands::{Command, CommandReceiver};
use crate::request::Request;

/// Receives requests and commands until there is nobody left to send requests.
pub(crate) struct Inbox {
    pub requests: mpsc::Receiver<Request>,
    pub commands: CommandReceiver,
    /// Requests of instances that were replaced. There is always somebody to send some.
    pub handovers: mpsc::UnboundedReceiver<Request>,
    /// Requests that came first, and have to wait for an instance that is active.
    pub postponed: VecDeque<Request>,
}

/// Something to do.
pub(crate) enum Message {
    Request(Request),
    Command(Command),
}

impl Inbox {
    /// The next message, with those that were postponed or without them. `None` once every sender of requests is gone.
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

    /// Takes nothing any more, other than from instances that were replaced. What is still here is dropped, which answers those who wait
    /// for it.
    pub async fn close(&mut self) {
        self.requests.close();
        self.commands.close();
        self.postponed.clear();
        while self.requests.recv().await.is_some() {}
        while self.commands.recv().await.is_some() {}
    }
}
