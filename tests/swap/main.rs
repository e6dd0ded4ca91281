//! Policies and cache components that are replaced while the cache is serving, and hostile policies. Whatever they do, every request must
//! be answered, the limits must hold, and the cache must report what happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod arriving;
mod c;
mod churn;
mod compiled;
mod component;
mod hostile;
mod midtrace;
mod refresh;
mod replacing;
mod requests;
mod slow;
