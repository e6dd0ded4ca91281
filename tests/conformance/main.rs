//! The conformance suite: all policies that come with the library pass it, and each check fails a policy with just that fault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to end there")]

mod built_in;
mod command;
mod hostile;
mod template;
mod wrong;
mod wrong_answers;
mod wrong_options;
