//! Commands that other threads send to the driver thread, which runs them on the policy between two requests.

use tokio::sync::mpsc;

use crate::policy::slot::PolicySlot;

/// A command to run on the policy.
pub(crate) type Command = Box<dyn FnOnce(&mut PolicySlot) + Send>;

/// Sends commands. It is closed when the cache is.
pub(crate) type CommandSender = mpsc::Sender<Command>;

/// Receives commands on the driver thread.
pub(crate) type CommandReceiver = mpsc::Receiver<Command>;
