//! Headers of origins, and the names and types that are made of them.

mod names;
#[path = "../../../host/src/download/naming.rs"]
mod naming;
#[path = "../../../host/src/download/parameters.rs"]
mod parameters;
#[path = "../../../host/src/download/sniff.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod sniff;
mod types;

pub use names::file_name;
pub use types::media_type;
