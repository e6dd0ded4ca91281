//! `media-cache policy`: the policy of a service that runs, and tools for those who write one.

mod command;
mod new;
mod remote;
mod test;

pub use command::Policy;
pub use remote::Server;
