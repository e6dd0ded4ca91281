//! Headers from origins, and the names and types derived from them.

mod addresses;
mod framing;
mod names;
mod types;
mod waits;

pub use addresses::cidr;
pub use framing::framing;
pub use names::file_name;
pub use types::media_type;
pub use waits::retry_after;
