//! The service against an Internet that means it no good: the real binary, and origins that misbehave byte by byte.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on is to end there")]

#[path = "../service/client.rs"]
#[allow(dead_code, reason = "shared with the tests of the service")]
mod client;
#[path = "../service/origin.rs"]
#[allow(dead_code, reason = "shared with the tests of the service")]
mod origin;
#[path = "../service/place.rs"]
#[allow(dead_code, reason = "shared with the tests of the service")]
mod place;
#[path = "../service/process.rs"]
#[allow(dead_code, reason = "shared with the tests of the service")]
mod process;

mod access_flags;
mod behaviours;
mod borders;
mod inside;
mod matrix;
mod misbehaving;
mod names;
mod redirects;
mod resolver;
mod scripted;
mod vectors;
