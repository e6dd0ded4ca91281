//! What holds of every parser of untrusted input, whatever it is given.
//!
//! A property takes bytes and panics where something does not hold that should. The fuzz targets in `fuzz/` call properties with what
//! a fuzzer makes up; the test of this crate calls them with the files in `fuzz/corpus/`, which a fuzzer found worth keeping.
//!
//! The crates of the parsers depend neither on a WebAssembly engine nor on a video encoder.

mod download;
mod input;
mod keys;
mod service;
mod simulate;
mod stored;
mod transcode;

pub use download::{cidr, file_name, framing, media_type, retry_after};
pub use keys::key_rules;

pub use service::{query, range, request_head, via};
pub use simulate::trace;
pub use stored::{index_log, sidecar};
pub use transcode::{annex_b, canvas, gif};

/// Something that holds whatever it is given.
#[derive(Clone, Copy)]
pub struct Property {
    /// What its fuzz target and its corpus are called.
    pub name: &'static str,
    /// Panics where it does not hold.
    pub check: fn(&[u8]),
}

/// All properties.
pub const PROPERTIES: &[Property] = &[
    Property { name: "annex_b", check: annex_b },
    Property { name: "canvas", check: canvas },
    Property { name: "cidr", check: cidr },
    Property { name: "file_name", check: file_name },
    Property { name: "framing", check: framing },
    Property { name: "gif", check: gif },
    Property { name: "index_log", check: index_log },
    Property { name: "key_rules", check: key_rules },
    Property { name: "media_type", check: media_type },
    Property { name: "query", check: query },
    Property { name: "range", check: range },
    Property { name: "request_head", check: request_head },
    Property { name: "retry_after", check: retry_after },
    Property { name: "sidecar", check: sidecar },
    Property { name: "trace", check: trace },
    Property { name: "via", check: via },
];
