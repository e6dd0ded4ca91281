//! Tests of the service against hostile URLs and origins: access rules, redirects, resolvers, and origins that misbehave at the byte
//! level.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod access_flags;
mod address_ranges;
mod behaviours;
mod homeserver;
mod misbehaving;
mod names;
mod redirects;
mod tolerated;
mod vectors;
mod wpt_urls;
