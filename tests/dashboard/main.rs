//! The dashboard: its routes and rights, and the page in a real browser. All tests share a headless Chromium.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod accessibility;
mod checks;
mod entries;
mod events;
mod figures;
mod keyboard;
mod origin;
mod policies;
mod rights;
mod shadows;
mod stage;
mod tier;
