//! Policies that are replaced while the cache serves, and hostile policies: whatever they do, every request is answered, the limits hold,
//! and the cache reports what happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod arriving;
mod c;
mod churn;
mod component;
mod hostile;
mod midtrace;
mod replacing;
mod requests;
mod slow;
