//! Policies that are replaced while the cache serves, and policies that mean ill: whatever they do, every request is answered, the
//! limits hold, and the cache says what happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to end there")]

mod c;
mod churn;
#[path = "../sandbox/directory.rs"]
#[allow(dead_code, reason = "shared with the sandbox suite")]
mod directory;
#[path = "../sandbox/harness.rs"]
#[allow(dead_code, reason = "shared with the sandbox suite")]
mod harness;
mod hostile;
mod midtrace;
#[path = "../sandbox/origin.rs"]
#[allow(dead_code, reason = "shared with the sandbox suite")]
mod origin;
mod replacing;
mod requests;
mod slow;
