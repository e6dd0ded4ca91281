//! Headers of origins, and the names and types that are made of them.

mod names;
mod types;

pub use names::file_name;
pub use types::media_type;
