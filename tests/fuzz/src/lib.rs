//! What holds of every parser of untrusted input, whatever it is given.
//!
//! A property takes bytes and panics where something does not hold that should. The fuzz targets in `fuzz/` call properties with what
//! a fuzzer makes up; the test of this crate calls them with the files in `fuzz/corpus/`, which a fuzzer found worth keeping.
//!
//! Parsers of the server and of the simulator are compiled into this crate from where they are, rather than by depending on these
//! crates: what is instrumented for fuzzing is then a few thousand lines, and not also a WebAssembly engine. A module here has the
//! name of the host's, so that paths by `crate` mean the same.

mod download;
mod input;
mod keys;
mod problem;
#[path = "../../../host/server/src/query.rs"]
#[allow(dead_code, reason = "the server uses more of it")]
mod query;
#[path = "../../../host/server/src/range.rs"]
mod range;
#[path = "../../../host/server/src/secret.rs"]
#[allow(dead_code, reason = "the server uses more of it")]
mod secret;
mod service;
#[path = "../../../host/server/src/signature.rs"]
#[allow(dead_code, reason = "the server uses more of it")]
mod signature;
mod simulate;
mod stored;
#[path = "../../../host/simulator/src/trace.rs"]
#[allow(dead_code, reason = "the simulator uses more of it")]
mod trace;
#[path = "../../../host/simulator/src/trace_line.rs"]
mod trace_line;
mod transcode;

pub use download::{file_name, media_type};
pub use keys::key_rules;

pub use service::{query, range};
pub use simulate::trace;
pub use stored::{sidecar, snapshot};
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
    Property { name: "file_name", check: file_name },
    Property { name: "gif", check: gif },
    Property { name: "key_rules", check: key_rules },
    Property { name: "media_type", check: media_type },
    Property { name: "query", check: query },
    Property { name: "range", check: range },
    Property { name: "sidecar", check: sidecar },
    Property { name: "snapshot", check: snapshot },
    Property { name: "trace", check: trace },
];
