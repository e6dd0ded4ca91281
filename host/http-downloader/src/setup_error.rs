//! Why an [`HttpDownloader`](crate::http_downloader::HttpDownloader) cannot be created.

use http::header::{HeaderName, InvalidHeaderValue};

/// Why an [`HttpDownloader`](crate::http_downloader::HttpDownloader) cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The system's certificates, which verify https origins, cannot be used.
    #[error("the system's certificates cannot be used; check that a package such as ca-certificates is installed")]
    Certificates(#[source] rustls::Error),
    /// An option contains characters that its header cannot have.
    #[error("the configured value of the header {0} contains characters that a header cannot have")]
    Header(HeaderName, #[source] InvalidHeaderValue),
}
