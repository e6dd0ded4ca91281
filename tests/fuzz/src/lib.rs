//! Properties that hold for every parser of untrusted input, for any input.
//!
//! A property takes bytes and panics if it does not hold. The fuzz targets in `fuzz/` call properties with generated inputs; the test of
//! this crate calls them with the files in `fuzz/corpus/`, which a fuzzer selected.
//!
//! The crates of the parsers depend on neither a WebAssembly engine nor a video encoder.

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

/// A property that holds for any input.
#[derive(Clone, Copy)]
pub struct Property {
    /// The name of its fuzz target and its corpus.
    pub name: &'static str,
    /// Panics if the property does not hold.
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
