//! Checks what operators install, in `contrib`: units, the image of a container, alerts, the dashboard of Grafana, completions, manual
//! pages and recipes. Each test runs the programs that read these files, as far as they are installed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod alerts;
mod booted;
mod completions;
mod container;
mod deployment;
mod grafana;
mod man_pages;
mod nginx;
mod package;
mod prometheus;
mod promtool;
mod recipes;
mod reverse_proxy;
mod units;
