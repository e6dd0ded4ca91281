//! The conformance suite: every built-in policy passes it, and each check fails a policy with the fault that it looks for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod bindings;
mod built_in;
mod command;
mod hostile;
mod template;
mod wrong;
mod wrong_answers;
mod wrong_options;
