//! Requests from clients.

mod heads;
mod hops;
mod queries;
mod ranges;

pub use heads::request_head;
pub use hops::via;
pub use queries::query;
pub use ranges::range;
