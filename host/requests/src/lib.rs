//! Parses requests for media: heads, query parameters, `Range` and `Via` headers, and signatures.
//!
//! All input is untrusted. Nothing here depends on a server, so fuzz targets and other clients can use it.

mod head_scanner;
mod invalid_request;
mod pseudonym;
pub mod query;
mod range;
mod secret;
mod signature;

pub use head_scanner::{HeadScanner, RefusedHead};
pub use invalid_request::InvalidRequest;
pub use pseudonym::{Pseudonym, PseudonymError};
pub use range::Wanted;
pub use secret::{WeakSecret, check_length};
pub use signature::{Signature, SigningKeys};
