//! Checks documents against the code: that their commands run, and that everything they list exists.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod blocks;
mod commands;
mod components;
mod examples;
mod facts;
mod generated;
mod languages;
mod options;
mod placeholders;
mod plan;
mod stage;
