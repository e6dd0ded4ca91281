//! Parses requests for media: heads, targets, query parameters, `Range` and `Via` headers, and signatures.
//!
//! All input is untrusted. Nothing here depends on a server, so fuzz targets and other clients can use it.

mod camo;
mod head_scanner;
mod hex;
mod invalid_request;
mod media_target;
mod pseudonym;
pub mod query;
mod range;
mod secret;
mod signature;

pub use camo::{CamoKeys, CamoSignature};
pub use head_scanner::{HeadScanner, RefusedHead};
pub use invalid_request::InvalidRequest;
pub use media_target::{Authorization, MediaTarget};
pub use pseudonym::{Pseudonym, PseudonymError};
pub use range::Wanted;
pub use secret::{WeakSecret, check_length};
pub use signature::{Signature, SigningKeys};
