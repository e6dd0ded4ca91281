//! Origins, services, clients and directories for the tests of media-cache.
//!
//! Servers listen on free loopback ports and stop when they are dropped, directories are temporary, and tests wait for events with a time
//! limit. [`cache_rig`] runs the library without a network, and [`service_process`] runs the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here fails the test that called it")]

pub mod balancer;
pub mod binary;
pub mod browser;
pub mod cache_directory;
pub mod cache_requests;
pub mod cache_rig;
pub mod cache_state;
pub mod camo;
pub mod canary_listener;
pub mod certificates;
pub mod command;
pub mod fed_origin;
pub mod file_faults;
pub mod homeserver;
pub mod http_client;
pub mod http_origin;
pub mod images;
pub mod latch;
pub mod manual_clock;
pub mod object_store;
pub mod old_contract;
pub mod otlp_collector;
pub mod random;
pub mod raw_client;
pub mod raw_http;
pub mod raw_origin;
pub mod redirecting_origin;
pub mod scripted_origin;
pub mod scripted_resolver;
pub mod scripted_transcoder;
pub mod self_signed_origin;
pub mod service_directory;
pub mod service_process;
pub mod sha256;
pub mod soon;
pub mod tls_client;
pub mod videos;
pub mod workspace;
