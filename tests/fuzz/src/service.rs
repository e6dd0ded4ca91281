//! What clients say.

#[path = "../../../host/src/service/parameters.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod parameters;
mod problem;
mod queries;
#[path = "../../../host/src/service/range.rs"]
mod range;
mod ranges;
#[path = "../../../host/src/service/secret.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod secret;
#[path = "../../../host/src/service/signature.rs"]
#[allow(dead_code, reason = "the host uses more of it")]
mod signature;

pub use queries::query;
pub use ranges::range;
