//! The conformance suite: all policies that come with the library pass it, and each check fails a policy with just that fault.

mod built_in;
mod command;
mod hostile;
mod template;
mod wrong;
mod wrong_answers;
mod wrong_options;
