//! Shadow policies: what they count, how precise they are, what they may use, and when the policy is switched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod automatic;
mod counts;
mod faults;
mod live;
mod sampled;
