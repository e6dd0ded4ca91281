//! The dashboard: a page for operators, and the events that keep it up to date.
//!
//! The files of the page contain no data. Everything that the page shows comes from requests with administration rights.

pub(crate) mod curves;
mod document;
pub(crate) mod events;
pub(crate) mod files;
mod history;
mod latencies;
pub(crate) mod policy_history;
mod run;
mod savings;
pub(crate) mod state;
