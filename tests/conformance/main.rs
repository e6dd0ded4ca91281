//! The conformance suite: every built-in policy passes it, and each check fails a policy that has exactly that fault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod built_in;
mod command;
mod hostile;
mod template;
mod wrong;
mod wrong_answers;
mod wrong_options;
