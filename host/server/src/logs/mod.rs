//! Logs requests and downloads, with their URLs, which are untrusted.
//!
//! Queries, fragments and user information contain tokens, signatures and passwords, and logs are read by people who should not know these.
//! By default, the log identifies a URL by its host and by its fingerprint, which is always the same for the same URL.

mod downloads;
mod lossy_writer;
pub(crate) mod requests;
mod transcodes;
mod urls;

pub use downloads::Logged;
pub use lossy_writer::{LossyWriter, LostLines};
pub use requests::{LogRequests, RequestLog, SharedRequestLog};
pub use urls::LogUrls;
