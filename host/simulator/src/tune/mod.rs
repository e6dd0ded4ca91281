//! Searches for the policy and the options that minimise an objective on a trace.
//!
//! The search sees only the first part of the trace, the training part. The best setting of each policy is then replayed over the whole
//! trace, and its value on the rest, the held-out part, shows whether the choice also holds for requests that it was not made for.

mod candidate;
mod search;
mod search_space;
mod setting;
mod trial;
mod tuner;

pub use candidate::{BLOCKS, Candidate, ENOUGH_BLOCKS};
pub use search_space::{SearchSpace, search_space};
pub use tuner::{TuneError, Tuned, Tuner};
