//! `media-cache policy`: the policy of a running service, and tools for authors of policies.

mod checks;
mod command;
mod compile;
mod new;
mod remote;
mod template;
mod test;
mod tune;

pub use checks::LimitedSuite;
pub use command::Policy;
pub use compile::{CompileLimits, CompilePolicy};
pub use remote::text;
