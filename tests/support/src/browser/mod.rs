//! A real browser, driven by tests.

pub mod chromium;
pub mod devtools;
pub mod tab;
