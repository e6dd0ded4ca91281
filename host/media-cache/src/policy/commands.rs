//! How another thread has the cache's thread do something with the policy, between two requests.

use tokio::sync::mpsc;

use crate::policy::slot::PolicySlot;

/// Something to do with the policy.
pub(crate) type Command = Box<dyn FnOnce(&mut PolicySlot) + Send>;

/// Where commands are sent. It is closed when the cache is.
pub(crate) type CommandSender = mpsc::Sender<Command>;

/// Where the cache's thread receives commands.
pub(crate) type CommandReceiver = mpsc::Receiver<Command>;
