//! `media-cache policy`: the policy of a service that runs, and tools for those who write one.

mod command;
mod compile;
mod new;
mod remote;
mod test;

pub use command::Policy;
pub use compile::{CompileLimits, CompilePolicy};
pub use remote::{Server, read_component, text};
