//! What clients say.

mod queries;
mod ranges;

pub use queries::query;
pub use ranges::range;
