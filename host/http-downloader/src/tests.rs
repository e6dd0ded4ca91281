//! Tests of the downloader against scripted origins.

mod busy_addresses;
mod concurrency;
mod downloads;
mod framing;
mod http2;
mod lasting_origin;
mod limits;
mod origin;
mod redirects;
mod requests;
mod responses;
mod reuse;
mod runtimes;
mod stale_connections;
mod streaming;
mod timeouts;
