//! What the log contains about requests, downloads, and the URLs that strangers write.
//!
//! Queries, fragments and user information contain tokens, signatures and passwords, and logs are read by more people than should
//! know them. By default a URL is identified by its fingerprint, which is the same for the same URL, and its host.

mod downloads;
mod lossy_writer;
pub(crate) mod requests;
mod transcodes;
mod urls;

pub use downloads::Logged;
pub use lossy_writer::{LossyWriter, LostLines};
pub use requests::{LogRequests, RequestLog, SharedRequestLog};
pub use urls::LogUrls;
