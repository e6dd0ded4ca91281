//! A real browser displays media and never executes it. All tests share a headless Chromium. Each has its own browsing context, service and
//! web site, on free ports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod cors;
mod display;
mod media;
mod navigation;
mod payloads;
mod scripts;
mod site;
mod stage;
mod ways;
