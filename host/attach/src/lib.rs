//! Shares one media cache between the processes that use its directory.
//!
//! The first process that opens a directory owns it: it runs the cache, and listens on a socket in the directory. Other processes of the
//! same user attach to it, and use the cache through the same interface, [`SharedCache`]. When the owner ends, even if it is killed, one of
//! them takes over, and calls in progress are repeated.
//!
//! Small bodies are copied between the processes; larger ones are passed as open files.

#![deny(unsafe_code)]

mod bodies;
mod call_limiter;
mod caller_downloader;
mod calls;
mod claim;
mod client;
mod connection;
mod error;
#[cfg(test)]
mod faulty_owner;
mod handover;
mod handshake;
mod idle_connections;
mod interruptible;
mod listener;
mod losses;
mod messages;
mod options;
mod owner;
mod owner_monitor;
mod policy_calls;
mod retained_download;
mod shared_cache;
mod sharing;
mod socket_path;
mod takeover;

pub use calls::PolicyError;
pub use claim::{Claim, ClaimError};
pub use error::AttachError;
pub use listener::Listener;
pub use media_cache::open_descriptors;
pub use options::{DirectoryOptions, OptionConflict};
pub use shared_cache::{Role, SharedCache};
pub use sharing::Sharing;
