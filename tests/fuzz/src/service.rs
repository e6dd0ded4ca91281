//! What clients say.

#[path = "../../../host/src/service/range.rs"]
mod range;
mod ranges;

pub use ranges::range;
