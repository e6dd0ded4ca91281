//! What the cache's thread receives: requests, and commands for the policy.

use tokio::sync::mpsc;

use crate::policy::commands::{Command, CommandReceiver};
use crate::request::Request;

/// Receives requests and commands until there is nobody left to send requests.
pub(crate) struct Inbox {
    pub requests: mpsc::Receiver<Request>,
    pub commands: CommandReceiver,
}

/// Something to do.
pub(crate) enum Message {
    Request(Request),
    Command(Command),
}

impl Inbox {
    /// The next message. `None` once every sender of requests is gone.
    pub async fn next(&mut self) -> Option<Message> {
        tokio::select! {
            request = self.requests.recv() => request.map(Message::Request),
            Some(command) = self.commands.recv() => Some(Message::Command(command)),
        }
    }

    /// Takes nothing any more. What is still here is dropped, which answers those who wait for it.
    pub async fn close(&mut self) {
        self.requests.close();
        self.commands.close();
        while self.requests.recv().await.is_some() {}
        while self.commands.recv().await.is_some() {}
    }
}
