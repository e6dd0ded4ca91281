//! What requests for media say: query parameters, `Range` headers and signatures.
//!
//! Everything here parses untrusted input and knows nothing about servers, so that fuzz targets and other clients can use it.

mod invalid_request;
pub mod query;
mod range;
mod secret;
mod signature;

pub use invalid_request::InvalidRequest;
pub use range::Wanted;
pub use secret::{WeakSecret, check_length};
pub use signature::{Signature, SigningKeys};
